"""JavaScript with JSX. Kinds of tree-sitter-javascript 0.25."""

from __future__ import annotations

import re

from tokenscope_core.syntax.grammar.categories import CategoryMap, words

BUILTINS = words("""
    Array ArrayBuffer BigInt Boolean DataView Date Error EvalError Float32Array Float64Array
    Function Infinity Int16Array Int32Array Int8Array Intl JSON Map Math NaN Number Object Promise
    Proxy RangeError ReferenceError Reflect RegExp Set String Symbol SyntaxError TypeError
    URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakSet console
    decodeURI decodeURIComponent encodeURI encodeURIComponent eval globalThis isFinite isNaN
    parseFloat parseInt require setInterval setTimeout clearInterval clearTimeout structuredClone
    document window process module exports fetch
""")

MAP = CategoryMap(
    leaves={
        "identifier": "variable",
        "property_identifier": "attribute",
        "private_property_identifier": "attribute",
        "shorthand_property_identifier": "variable",
        "shorthand_property_identifier_pattern": "variable",
        "statement_identifier": "label",
        "this": "builtin",
        "super": "builtin",
        "number": "number",
        "true": "boolean",
        "false": "boolean",
        "null": "null",
        "undefined": "null",
        "string": "string",
        "string_fragment": "string",
        "template_string": "string",
        "escape_sequence": "string",
        "regex": "regular expression",
        "regex_pattern": "regular expression",
        "regex_flags": "regular expression",
        "comment": "comment",
        "html_comment": "comment",
        "hash_bang_line": "comment",
        "optional_chain": "other operator",
        "jsx_text": "markup",
        "html_character_reference": "markup",
        "import": "keyword",
    },
    names=words("identifier property_identifier private_property_identifier"),
    roles={
        ("function_declaration", "name"): "function name",
        ("generator_function_declaration", "name"): "function name",
        ("function_expression", "name"): "function name",
        ("generator_function", "name"): "function name",
        ("method_definition", "name"): "function name",
        ("class_declaration", "name"): "class name",
        ("class", "name"): "class name",
        ("class_heritage", None): "type",
        ("call_expression", "function"): "call target",
        ("call_expression", "function", "member_expression", "property"): "call target",
        ("new_expression", "constructor"): "call target",
        ("formal_parameters", None): "parameter",
        ("formal_parameters", None, "assignment_pattern", "left"): "parameter",
        ("formal_parameters", None, "rest_pattern", None): "parameter",
        ("arrow_function", "parameter"): "parameter",
        ("namespace_import", None): "module",
        ("decorator", None): "decorator",
        ("jsx_opening_element", "name"): "markup",
        ("jsx_closing_element", "name"): "markup",
        ("jsx_self_closing_element", "name"): "markup",
        ("jsx_namespace_name", None): "markup",
    },
    tokens={
        "instanceof": "comparison operator",
        "in": "comparison operator",
        "${": "delimiter",
        "</": "markup",
        "/>": "markup",
        "@": "delimiter",
    },
    tokens_in={
        ("in", "for_in_statement"): "keyword",
        ("<", "jsx_opening_element"): "markup",
        (">", "jsx_opening_element"): "markup",
        (">", "jsx_closing_element"): "markup",
        ("<", "jsx_self_closing_element"): "markup",
        ("/", "regex"): "regular expression",
        ("=", "assignment_pattern"): "delimiter",
        ("=", "object_assignment_pattern"): "delimiter",
        ("=", "jsx_attribute"): "delimiter",
        **{("*", kind): "other operator" for kind in ("generator_function", "yield_expression",
           "generator_function_declaration", "method_definition", "namespace_import",
           "export_statement", "namespace_export")},
    },
    statements=words("""
        export_statement import_statement expression_statement variable_declaration
        lexical_declaration using_declaration else_clause if_statement switch_statement
        for_statement for_in_statement while_statement do_statement try_statement with_statement
        break_statement continue_statement debugger_statement return_statement throw_statement
        empty_statement labeled_statement switch_case switch_default catch_clause finally_clause
        class_declaration function_declaration generator_function_declaration field_definition
        class_static_block method_definition decorator
    """),
    expressions=words("""
        parenthesized_expression yield_expression object object_pattern assignment_pattern
        object_assignment_pattern array array_pattern jsx_element jsx_expression
        jsx_self_closing_element member_expression class function_expression generator_function
        arrow_function call_expression new_expression await_expression subscript_expression
        assignment_expression augmented_assignment_expression spread_element ternary_expression
        binary_expression unary_expression update_expression sequence_expression template_string
        template_substitution rest_pattern pair pair_pattern computed_property_name
    """),
    parts=words("""
        program namespace_export export_clause export_specifier import_clause namespace_import
        named_imports import_specifier import_attribute variable_declarator statement_block
        switch_body jsx_opening_element jsx_namespace_name jsx_closing_element jsx_attribute
        class_heritage meta_property arguments class_body formal_parameters
    """),
    scopes={
        "class_declaration": "class",
        "class": "class",
        "function_declaration": "function",
        "generator_function_declaration": "function",
        "function_expression": "function",
        "generator_function": "function",
        "arrow_function": "function",
        "method_definition": "function",
        "if_statement": "if",
        "for_statement": "for",
        "for_in_statement": "for",
        "while_statement": "while",
        "do_statement": "do",
        "try_statement": "try",
        "switch_statement": "switch",
    },
    functions=words("""
        function_declaration generator_function_declaration function_expression
        generator_function arrow_function method_definition
    """),
    builtins=BUILTINS,
    named_by_parent={
        "variable_declarator": "name",
        "pair": "key",
        "assignment_expression": "left",
        "field_definition": "property",
    },
    doc_comment=re.compile(rb"/\*\*"),
)  # fmt: skip
