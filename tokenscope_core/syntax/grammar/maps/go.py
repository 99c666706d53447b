"""Go. Kinds of tree-sitter-go 0.25."""

from __future__ import annotations

from tokenscope_core.syntax.grammar.categories import CategoryMap, words

BUILTINS = words("""
    append cap clear close complex copy delete imag len make max min new panic print println real
    recover
""")

MAP = CategoryMap(
    leaves={
        "identifier": "variable",
        "field_identifier": "attribute",
        "type_identifier": "type",
        "package_identifier": "module",
        "blank_identifier": "variable",
        "label_name": "label",
        "dot": "module",
        "int_literal": "number",
        "float_literal": "number",
        "imaginary_literal": "number",
        "rune_literal": "character",
        "raw_string_literal": "string",
        "raw_string_literal_content": "string",
        "interpreted_string_literal": "string",
        "interpreted_string_literal_content": "string",
        "escape_sequence": "string",
        "nil": "null",
        "true": "boolean",
        "false": "boolean",
        "iota": "builtin",
        "comment": "comment",
    },
    names=words("identifier field_identifier type_identifier package_identifier"),
    roles={
        ("function_declaration", "name"): "function name",
        ("method_declaration", "name"): "function name",
        ("method_elem", "name"): "function name",
        ("type_spec", "name"): "class name",
        ("type_alias", "name"): "class name",
        ("const_spec", "name"): "constant",
        ("call_expression", "function"): "call target",
        ("call_expression", "function", "selector_expression", "field"): "call target",
        ("parameter_declaration", "name"): "parameter",
        ("variadic_parameter_declaration", "name"): "parameter",
        ("type_parameter_declaration", "name"): "type",
        ("keyed_element", "key", "literal_element", None): "attribute",
    },
    tokens={"<-": "other operator", "\n": "newline"},
    tokens_in={
        **{("*", kind): "other operator" for kind in ("pointer_type", "unary_expression")},
        ("&", "unary_expression"): "other operator",
        ("|", "type_elem"): "other operator",
        ("|", "type_constraint"): "other operator",
        ("~", "negated_type"): "other operator",
    },
    statements=words("""
        package_clause import_declaration const_declaration var_declaration function_declaration
        method_declaration type_declaration empty_statement expression_statement send_statement
        receive_statement inc_statement dec_statement assignment_statement short_var_declaration
        labeled_statement fallthrough_statement break_statement continue_statement goto_statement
        return_statement go_statement defer_statement if_statement for_statement
        expression_switch_statement expression_case default_case type_switch_statement type_case
        select_statement communication_case field_declaration method_elem import_spec const_spec
        var_spec type_spec type_alias
    """),
    expressions=words("""
        parenthesized_expression call_expression selector_expression index_expression
        slice_expression type_assertion_expression type_conversion_expression
        type_instantiation_expression composite_literal func_literal unary_expression
        binary_expression range_clause for_clause generic_type pointer_type array_type slice_type
        struct_type interface_type map_type channel_type function_type keyed_element
        variadic_argument
    """),
    parts=words("""
        source_file import_spec_list var_spec_list type_parameter_list type_parameter_declaration
        parameter_list parameter_declaration variadic_parameter_declaration expression_list
        parenthesized_type type_arguments implicit_length_array_type negated_type
        field_declaration_list type_elem block statement_list argument_list literal_value
        literal_element qualified_type type_constraint
    """),
    scopes={
        "function_declaration": "function",
        "method_declaration": "function",
        "func_literal": "function",
        "type_spec": "type",
        "if_statement": "if",
        "for_statement": "for",
        "expression_switch_statement": "switch",
        "type_switch_statement": "switch",
        "select_statement": "select",
    },
    functions=words("function_declaration method_declaration func_literal"),
    builtins=BUILTINS,
)  # fmt: skip
