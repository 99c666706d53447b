"""C++, on top of C. Kinds of tree-sitter-cpp 0.23."""

from __future__ import annotations

from tokenscope_core.syntax.grammar.categories import words
from tokenscope_core.syntax.grammar.maps import c

_CALLS = ("call_expression", "function")
_PARAMETERS = (
    "parameter_declaration",
    "optional_parameter_declaration",
    "variadic_parameter_declaration",
)

MAP = c.MAP.extended(
    leaves={
        "namespace_identifier": "module",
        "auto": "type",
        "this": "builtin",
        "literal_suffix": "number",
        "raw_string_literal": "string",
        "raw_string_delimiter": "string",
        "raw_string_content": "string",
        "virtual_specifier": "keyword",
        "access_specifier": "keyword",
        "lambda_default_capture": "other operator",
        "ref_qualifier": "other operator",
        "operator_name": "function name",
        "default_method_clause": "keyword",
        "delete_method_clause": "keyword",
    },
    names=words("namespace_identifier"),
    roles={
        ("class_specifier", "name"): "class name",
        ("alias_declaration", "name"): "class name",
        ("concept_definition", "name"): "class name",
        ("namespace_definition", "name"): "module",
        ("function_declarator", "declarator", "qualified_identifier", "name"): "function name",
        ("function_declarator", "declarator", "destructor_name", None): "function name",
        ("destructor_name", None): "function name",
        (*_CALLS, "qualified_identifier", "name"): "call target",
        (*_CALLS, "template_function", "name"): "call target",
        ("template_function", "name"): "call target",
        ("template_method", "name"): "call target",
        ("field_initializer", None): "attribute",
        **{(kind, "declarator"): "parameter" for kind in _PARAMETERS},
        **{(kind, "declarator", declarator, None): "parameter" for kind in _PARAMETERS
           for declarator in ("reference_declarator", "variadic_declarator")},
    },
    tokens={
        **dict.fromkeys(words("and or not"), "logical operator"),
        **dict.fromkeys(words("bitand bitor xor compl"), "bitwise operator"),
        **dict.fromkeys(words("and_eq or_eq xor_eq"), "assignment operator"),
        **dict.fromkeys(words('R" LR" uR" UR" u8R"'), "string"),
        **dict.fromkeys(("()", "[]", '""'), "function name"),
        "not_eq": "comparison operator",
        "auto": "type",
    },
    tokens_in={
        **{(angle, kind): "delimiter" for angle in "<>" for kind in ("template_argument_list",
           "template_parameter_list")},
        **{(mark, "operator_name"): "function name" for mark in words(
           "+ - * / % ^ & | ~ ! = < > += -= *= /= %= ^= &= |= << >> >>= <<= == != <= >= <=> && || "
           "++ -- , ->* -> () []")},
        ("=", "optional_parameter_declaration"): "delimiter",
        ("~", "destructor_name"): "function name",
        ("default", "default_method_clause"): "keyword",
        ("&&", "constraint_conjunction"): "logical operator",
    },
    statements=words("""
        class_specifier template_declaration template_instantiation namespace_definition
        namespace_alias_definition using_declaration alias_declaration static_assert_declaration
        concept_definition friend_declaration for_range_loop try_statement catch_clause
        throw_statement co_return_statement co_yield_statement init_statement
    """),
    expressions=words("""
        co_await_expression new_expression delete_expression requires_expression lambda_expression
        fold_expression parameter_pack_expansion field_initializer user_defined_literal
        template_type qualified_identifier
    """),
    parts=words("""
        translation_unit preproc_params argument_list attribute_specifier attribute
        ms_declspec_modifier ms_based_modifier declaration_list parenthesized_declarator
        abstract_parenthesized_declarator attributed_declarator pointer_declarator
        pointer_type_declarator abstract_pointer_declarator function_declarator
        abstract_function_declarator array_declarator abstract_array_declarator compound_statement
        alignas_qualifier enumerator_list field_declaration_list bitfield_clause parameter_list
        parameter_declaration type_descriptor gnu_asm_output_operand_list gnu_asm_output_operand
        gnu_asm_input_operand_list gnu_asm_input_operand gnu_asm_clobber_list gnu_asm_goto_list
        subscript_designator subscript_range_designator field_designator
        placeholder_type_specifier decltype explicit_function_specifier base_class_clause
        dependent_type template_parameter_list type_parameter_declaration
        variadic_type_parameter_declaration optional_type_parameter_declaration
        template_template_parameter_declaration optional_parameter_declaration
        variadic_parameter_declaration variadic_declarator reference_declarator operator_cast
        field_initializer_list pure_virtual_clause abstract_reference_declarator
        structured_binding_declarator trailing_return_type noexcept throw_specifier
        template_method template_function template_argument_list nested_namespace_specifier
        condition_clause subscript_argument_list new_declarator type_requirement
        compound_requirement requirement_seq constraint_conjunction constraint_disjunction
        requires_clause lambda_capture_specifier lambda_capture_initializer destructor_name
        dependent_name simple_requirement
    """),
    scopes={
        "class_specifier": "class",
        "namespace_definition": "namespace",
        "lambda_expression": "lambda",
        "for_range_loop": "for",
        "try_statement": "try",
    },
)  # fmt: skip
