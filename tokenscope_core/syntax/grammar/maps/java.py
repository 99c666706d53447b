"""Java. Kinds of tree-sitter-java 0.23."""

from __future__ import annotations

import re

from tokenscope_core.syntax.grammar.categories import CategoryMap, words

_TYPES = words("""
    class_declaration interface_declaration enum_declaration record_declaration
    annotation_type_declaration
""")

MAP = CategoryMap(
    leaves={
        "identifier": "variable",
        "type_identifier": "type",
        "decimal_integer_literal": "number",
        "hex_integer_literal": "number",
        "octal_integer_literal": "number",
        "binary_integer_literal": "number",
        "decimal_floating_point_literal": "number",
        "hex_floating_point_literal": "number",
        "true": "boolean",
        "false": "boolean",
        "null_literal": "null",
        "character_literal": "character",
        "string_literal": "string",
        "string_fragment": "string",
        "multiline_string_fragment": "string",
        "escape_sequence": "string",
        "boolean_type": "type",
        "void_type": "type",
        "integral_type": "type",
        "floating_point_type": "type",
        "this": "builtin",
        "super": "builtin",
        "line_comment": "comment",
        "block_comment": "comment",
        "underscore_pattern": "variable",
        "asterisk": "module",
        "requires_modifier": "keyword",
    },
    names=words("identifier type_identifier"),
    roles={
        **{(kind, "name"): "class name" for kind in _TYPES},
        ("method_declaration", "name"): "function name",
        ("constructor_declaration", "name"): "function name",
        ("compact_constructor_declaration", "name"): "function name",
        ("annotation_type_element_declaration", "name"): "function name",
        ("method_invocation", "name"): "call target",
        ("field_access", "field"): "attribute",
        ("field_declaration", "declarator", "variable_declarator", "name"): "attribute",
        ("constant_declaration", "declarator", "variable_declarator", "name"): "constant",
        ("formal_parameter", "name"): "parameter",
        ("spread_parameter", None, "variable_declarator", "name"): "parameter",
        ("lambda_expression", "parameters"): "parameter",
        ("inferred_parameters", None): "parameter",
        ("element_value_pair", "key"): "parameter",
        ("enum_constant", "name"): "constant",
        ("package_declaration", None): "module",
        ("scoped_identifier", "scope"): "module",
        ("scoped_identifier", "name"): "module",
        ("marker_annotation", "name"): "decorator",
        ("annotation", "name"): "decorator",
        ("marker_annotation", "name", "scoped_identifier", "name"): "decorator",
        ("annotation", "name", "scoped_identifier", "name"): "decorator",
        ("labeled_statement", None): "label",
        ("break_statement", None): "label",
        ("continue_statement", None): "label",
    },
    tokens={
        "instanceof": "comparison operator",
        "@": "delimiter",
        "@interface": "keyword",
        "\\{": "delimiter",
    },
    tokens_in={
        **{(name, "integral_type"): "type" for name in words("byte short int long char")},
        **{(name, "floating_point_type"): "type" for name in words("float double")},
        **{(angle, kind): "delimiter" for angle in "<>" for kind in ("type_arguments",
           "type_parameters")},
        ("&", "type_bound"): "other operator",
        ("|", "catch_type"): "other operator",
        ("=", "element_value_pair"): "delimiter",
    },
    statements=words("""
        expression_statement labeled_statement assert_statement do_statement break_statement
        continue_statement return_statement yield_statement synchronized_statement throw_statement
        try_statement catch_clause finally_clause try_with_resources_statement if_statement
        while_statement for_statement enhanced_for_statement switch_block_statement_group
        switch_rule package_declaration import_declaration enum_declaration enum_constant
        class_declaration static_initializer constructor_declaration explicit_constructor_invocation
        field_declaration record_declaration annotation_type_declaration
        annotation_type_element_declaration interface_declaration constant_declaration
        local_variable_declaration method_declaration compact_constructor_declaration
        module_declaration requires_module_directive exports_module_directive
        opens_module_directive uses_module_directive provides_module_directive marker_annotation
        annotation resource
    """),
    expressions=words("""
        cast_expression assignment_expression binary_expression instanceof_expression
        lambda_expression ternary_expression unary_expression update_expression
        array_creation_expression parenthesized_expression class_literal
        object_creation_expression field_access template_expression array_access method_invocation
        method_reference switch_expression array_initializer string_interpolation generic_type
        array_type record_pattern type_pattern guard
    """),
    parts=words("""
        program inferred_parameters dimensions_expr argument_list type_arguments wildcard
        dimensions switch_block switch_label pattern record_pattern_body record_pattern_component
        block catch_formal_parameter catch_type resource_specification annotation_argument_list
        element_value_pair element_value_array_initializer module_body enum_body
        enum_body_declarations modifiers type_parameters type_parameter type_bound superclass
        super_interfaces type_list permits class_body constructor_body scoped_identifier
        annotation_type_body extends_interfaces interface_body variable_declarator annotated_type
        scoped_type_identifier formal_parameters formal_parameter receiver_parameter
        spread_parameter throws
    """),
    scopes={
        "class_declaration": "class",
        "interface_declaration": "interface",
        "enum_declaration": "enum",
        "record_declaration": "record",
        "annotation_type_declaration": "annotation",
        "method_declaration": "function",
        "constructor_declaration": "function",
        "compact_constructor_declaration": "function",
        "lambda_expression": "lambda",
        "if_statement": "if",
        "for_statement": "for",
        "enhanced_for_statement": "for",
        "while_statement": "while",
        "do_statement": "do",
        "try_statement": "try",
        "try_with_resources_statement": "try",
        "switch_expression": "switch",
        "synchronized_statement": "synchronized",
    },
    functions=words("method_declaration constructor_declaration compact_constructor_declaration"),
    doc_comment=re.compile(rb"/\*\*"),
)  # fmt: skip
