"""Rust. Kinds of tree-sitter-rust 0.24."""

from __future__ import annotations

import re

from tokenscope_core.syntax.grammar.categories import CategoryMap, words

_ITEMS = words("struct_item enum_item union_item trait_item type_item")
_CALLS = ("call_expression", "function")

MAP = CategoryMap(
    leaves={
        "identifier": "variable",
        "type_identifier": "type",
        "field_identifier": "attribute",
        "shorthand_field_identifier": "attribute",
        "primitive_type": "type",
        "self": "builtin",
        "super": "module",
        "crate": "module",
        "metavariable": "variable",
        "mutable_specifier": "keyword",
        "fragment_specifier": "type",
        "never_type": "type",
        "integer_literal": "number",
        "float_literal": "number",
        "boolean_literal": "boolean",
        "char_literal": "character",
        "string_literal": "string",
        "raw_string_literal": "string",
        "string_content": "string",
        "escape_sequence": "string",
        "line_comment": "comment",
        "block_comment": "comment",
        "doc_comment": "docstring",
        "outer_doc_comment_marker": "docstring",
        "inner_doc_comment_marker": "docstring",
        "shebang": "comment",
        "remaining_field_pattern": "other operator",
    },
    names=words("identifier type_identifier field_identifier"),
    roles={
        **{(kind, "name"): "class name" for kind in _ITEMS},
        ("function_item", "name"): "function name",
        ("function_signature_item", "name"): "function name",
        ("macro_definition", "name"): "function name",
        ("mod_item", "name"): "module",
        ("enum_variant", "name"): "constant",
        ("const_item", "name"): "constant",
        ("static_item", "name"): "constant",
        ("associated_type", "name"): "type",
        _CALLS: "call target",
        (*_CALLS, "field_expression", "field"): "call target",
        (*_CALLS, "scoped_identifier", "name"): "call target",
        (*_CALLS, "generic_function", "function"): "call target",
        ("generic_function", "function", "field_expression", "field"): "call target",
        ("macro_invocation", "macro"): "call target",
        ("macro_invocation", "macro", "scoped_identifier", "name"): "call target",
        ("parameter", "pattern"): "parameter",
        ("parameter", "pattern", "mut_pattern", None): "parameter",
        ("closure_parameters", None): "parameter",
        ("scoped_identifier", "path"): "module",
        ("scoped_type_identifier", "path"): "module",
        ("use_declaration", "argument"): "module",
        ("use_declaration", "argument", "scoped_identifier", "name"): "module",
        ("scoped_use_list", "path"): "module",
        ("scoped_use_list", "path", "scoped_identifier", "name"): "module",
        ("use_wildcard", None): "module",
        ("attribute", None): "decorator",
        ("attribute", None, "scoped_identifier", "name"): "decorator",
        ("lifetime", None): "label",
        ("label", None): "label",
    },
    tokens={
        "//": "comment",
        "/*": "comment",
        "*/": "comment",
        "_": "variable",
        "#": "delimiter",
        "$": "delimiter",
    },
    tokens_in={
        ("'", "lifetime"): "label",
        ("'", "label"): "label",
        ("!", "macro_invocation"): "delimiter",
        ("!", "line_comment"): "docstring",
        ("/", "line_comment"): "docstring",
        ("!", "inner_doc_comment_marker"): "docstring",
        ("/", "outer_doc_comment_marker"): "docstring",
        ("*", "outer_doc_comment_marker"): "docstring",
        ("!", "inner_attribute_item"): "delimiter",
        ("!", "never_type"): "type",
        ("true", "boolean_literal"): "boolean",
        ("false", "boolean_literal"): "boolean",
        ("?", "try_expression"): "other operator",
        **{("&", kind): "other operator" for kind in ("reference_type", "reference_expression",
           "reference_pattern", "self_parameter")},
        **{("*", kind): "other operator" for kind in ("pointer_type", "unary_expression",
           "token_repetition", "token_repetition_pattern", "use_wildcard")},
        **{("+", kind): "other operator" for kind in ("trait_bounds", "token_repetition",
           "token_repetition_pattern")},
        ("|", "closure_parameters"): "delimiter",
        ("|", "or_pattern"): "other operator",
        ("=", "type_binding"): "delimiter",
        **{(angle, kind): "delimiter" for angle in "<>" for kind in ("type_arguments",
           "type_parameters", "bracketed_type", "for_lifetimes")},
    },
    statements=words("""
        empty_statement expression_statement macro_definition attribute_item inner_attribute_item
        mod_item foreign_mod_item struct_item union_item enum_item enum_variant field_declaration
        extern_crate_declaration const_item static_item type_item function_item
        function_signature_item impl_item trait_item associated_type let_declaration
        use_declaration match_arm else_clause macro_rule where_predicate
    """),
    expressions=words("""
        macro_invocation range_expression unary_expression try_expression reference_expression
        binary_expression assignment_expression compound_assignment_expr type_cast_expression
        return_expression yield_expression call_expression array_expression
        parenthesized_expression tuple_expression unit_expression struct_expression
        field_initializer if_expression let_condition match_expression while_expression
        loop_expression for_expression const_block closure_expression break_expression
        continue_expression index_expression await_expression field_expression unsafe_block
        async_block gen_block try_block tuple_pattern slice_pattern tuple_struct_pattern
        struct_pattern range_pattern or_pattern reference_pattern captured_pattern generic_type
        reference_type pointer_type array_type tuple_type function_type dynamic_type abstract_type
        let_chain
    """),
    parts=words("""
        source_file token_tree_pattern token_binding_pattern token_repetition_pattern token_tree
        token_repetition attribute declaration_list enum_variant_list field_declaration_list
        ordered_field_declaration_list function_modifiers where_clause trait_bounds
        higher_ranked_trait_bound removed_trait_bound type_parameters const_parameter
        type_parameter lifetime_parameter scoped_use_list use_list use_as_clause use_wildcard
        parameters self_parameter variadic_parameter parameter extern_modifier visibility_modifier
        bracketed_type qualified_type lifetime for_lifetimes unit_type generic_function
        generic_type_with_turbofish bounded_type use_bounds type_arguments type_binding
        scoped_identifier scoped_type_identifier arguments field_initializer_list
        shorthand_field_initializer base_field_initializer match_block match_pattern
        closure_parameters label block generic_pattern field_pattern mut_pattern ref_pattern
        negative_literal
    """),
    scopes={
        "mod_item": "module",
        "struct_item": "struct",
        "enum_item": "enum",
        "trait_item": "trait",
        "impl_item": "impl",
        "function_item": "function",
        "closure_expression": "closure",
        "if_expression": "if",
        "match_expression": "match",
        "for_expression": "for",
        "while_expression": "while",
        "loop_expression": "loop",
        "unsafe_block": "unsafe",
    },
    functions=words("function_item"),
    name_fields=("name", "type"),
    doc_comment=re.compile(rb"//[/!]|/\*[*!]"),
)  # fmt: skip
