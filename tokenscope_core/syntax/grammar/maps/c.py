"""C. Kinds of tree-sitter-c 0.24."""

from __future__ import annotations

from tokenscope_core.syntax.grammar.categories import CategoryMap, words

_DIRECTIVES = words("""
    #include #define #if #endif #ifdef #ifndef #else #elif #elifdef #elifndef defined
""")
_POINTERS = words("""
    pointer_declarator abstract_pointer_declarator pointer_expression pointer_type_declarator
    reference_declarator abstract_reference_declarator type_descriptor ref_qualifier
    lambda_default_capture lambda_capture_specifier lambda_capture_initializer
""")

MAP = CategoryMap(
    leaves={
        "identifier": "variable",
        "field_identifier": "attribute",
        "statement_identifier": "label",
        "type_identifier": "type",
        "primitive_type": "type",
        "sized_type_specifier": "type",
        "number_literal": "number",
        "character": "character",
        "char_literal": "character",
        "string_literal": "string",
        "string_content": "string",
        "escape_sequence": "string",
        "system_lib_string": "module",
        "true": "boolean",
        "false": "boolean",
        "null": "null",
        "comment": "comment",
        "preproc_arg": "preprocessor",
        "preproc_directive": "preprocessor",
        "storage_class_specifier": "keyword",
        "type_qualifier": "keyword",
        "variadic_parameter": "other operator",
        "gnu_asm_qualifier": "keyword",
        "seh_leave_statement": "keyword",
        "ms_restrict_modifier": "keyword",
        "ms_unsigned_ptr_modifier": "keyword",
        "ms_signed_ptr_modifier": "keyword",
        "ms_call_modifier": "keyword",
        "ms_unaligned_ptr_modifier": "keyword",
        "ms_pointer_modifier": "keyword",
    },
    names=words("identifier field_identifier type_identifier"),
    roles={
        ("function_declarator", "declarator"): "function name",
        ("preproc_function_def", "name"): "function name",
        ("call_expression", "function"): "call target",
        ("call_expression", "function", "field_expression", "field"): "call target",
        ("parameter_declaration", "declarator"): "parameter",
        **{("parameter_declaration", "declarator", kind, field): "parameter"
           for kind in ("pointer_declarator", "array_declarator")
           for field in ("declarator", None)},
        ("preproc_params", None): "parameter",
        ("preproc_def", "name"): "constant",
        ("preproc_ifdef", "name"): "constant",
        ("preproc_defined", None): "constant",
        ("enumerator", "name"): "constant",
        ("struct_specifier", "name"): "class name",
        ("union_specifier", "name"): "class name",
        ("enum_specifier", "name"): "class name",
        ("type_definition", "declarator"): "class name",
        ("attribute", "name"): "decorator",
        ("macro_type_specifier", "name"): "call target",
    },
    tokens={
        **dict.fromkeys(_DIRECTIVES, "preprocessor"),
        **dict.fromkeys(words('L" u" U" u8"'), "string"),
        **dict.fromkeys(words("L' u' U' u8' '"), "character"),
        **dict.fromkeys(words("signed unsigned long short"), "type"),
        "NULL": "null",
        "nullptr": "null",
        "\n": "newline",
        "[[": "delimiter",
        "]]": "delimiter",
    },
    tokens_in={
        **{(mark, kind): "other operator" for mark in ("*", "&", "&&") for kind in _POINTERS},
        ("=", "enumerator"): "delimiter",
        ("=", "initializer_pair"): "delimiter",
    },
    statements=words("""
        function_definition declaration type_definition linkage_specification
        attribute_declaration struct_specifier union_specifier enum_specifier
        enumerator field_declaration attributed_statement labeled_statement expression_statement
        if_statement else_clause switch_statement case_statement while_statement do_statement
        for_statement return_statement break_statement continue_statement goto_statement
        seh_try_statement seh_except_clause seh_finally_clause seh_leave_statement preproc_include
        preproc_def preproc_function_def preproc_call preproc_if preproc_ifdef preproc_else
        preproc_elif preproc_elifdef
    """),
    expressions=words("""
        parenthesized_expression preproc_defined unary_expression call_expression
        binary_expression comma_expression conditional_expression assignment_expression
        pointer_expression update_expression cast_expression sizeof_expression alignof_expression
        offsetof_expression generic_expression subscript_expression gnu_asm_expression
        extension_expression field_expression compound_literal_expression initializer_list
        initializer_pair concatenated_string init_declarator
    """),
    parts=words("""
        translation_unit preproc_params argument_list attribute_specifier attribute
        ms_declspec_modifier ms_based_modifier declaration_list parenthesized_declarator
        abstract_parenthesized_declarator attributed_declarator pointer_declarator
        abstract_pointer_declarator function_declarator abstract_function_declarator
        array_declarator abstract_array_declarator compound_statement alignas_qualifier
        enumerator_list field_declaration_list bitfield_clause parameter_list
        parameter_declaration type_descriptor gnu_asm_output_operand_list gnu_asm_output_operand
        gnu_asm_input_operand_list gnu_asm_input_operand gnu_asm_clobber_list gnu_asm_goto_list
        subscript_designator subscript_range_designator field_designator macro_type_specifier
    """),
    scopes={
        "struct_specifier": "struct",
        "union_specifier": "union",
        "enum_specifier": "enum",
        "function_definition": "function",
        "if_statement": "if",
        "for_statement": "for",
        "while_statement": "while",
        "do_statement": "do",
        "switch_statement": "switch",
    },
    functions=words("function_definition"),
    name_fields=("name", "declarator"),
)  # fmt: skip
