"""TypeScript and TSX, on top of JavaScript. Kinds of tree-sitter-typescript 0.23."""

from __future__ import annotations

from tokenscope_core.syntax.grammar.categories import words
from tokenscope_core.syntax.grammar.maps import javascript

_ANGLES = ("type_arguments", "type_parameters", "type_assertion")

MAP = javascript.MAP.extended(
    leaves={
        "type_identifier": "type",
        "this_type": "type",
        "existential_type": "type",
        "accessibility_modifier": "keyword",
        "override_modifier": "keyword",
        "asserts": "keyword",
        "predefined_type": "type",
        "template_literal_type": "type",
    },
    names=words("type_identifier"),
    roles={
        ("required_parameter", "pattern"): "parameter",
        ("optional_parameter", "pattern"): "parameter",
        ("required_parameter", "pattern", "rest_pattern", None): "parameter",
        ("interface_declaration", "name"): "class name",
        ("abstract_class_declaration", "name"): "class name",
        ("type_alias_declaration", "name"): "class name",
        ("enum_declaration", "name"): "class name",
        ("enum_body", "name"): "constant",
        ("enum_assignment", "name"): "constant",
        ("method_signature", "name"): "function name",
        ("abstract_method_signature", "name"): "function name",
        ("function_signature", "name"): "function name",
        ("extends_clause", "value"): "type",
        ("nested_type_identifier", "module"): "module",
        ("internal_module", "name"): "module",
        ("module", "name"): "module",
        ("type_predicate", "name"): "parameter",
    },
    tokens={
        "keyof": "keyword",
        "-?:": "delimiter",
        "+?:": "delimiter",
        "?:": "delimiter",
        "{|": "delimiter",
        "|}": "delimiter",
        "?.": "other operator",
        "unique symbol": "type",
    },
    tokens_in={
        **{(name, "predefined_type"): "type" for name in words(
           "any number boolean string symbol object unknown never void")},
        **{(angle, kind): "delimiter" for angle in "<>" for kind in _ANGLES},
        ("|", "union_type"): "other operator",
        ("&", "intersection_type"): "other operator",
        ("!", "non_null_expression"): "other operator",
        ("!", "variable_declarator"): "other operator",
        ("!", "public_field_definition"): "other operator",
        ("-", "index_signature"): "other operator",
        ("+", "index_signature"): "other operator",
        ("-", "mapped_type_clause"): "other operator",
        ("in", "mapped_type_clause"): "keyword",
        ("=", "default_type"): "delimiter",
        ("=", "required_parameter"): "delimiter",
    },
    statements=words("""
        interface_declaration enum_declaration enum_assignment type_alias_declaration
        ambient_declaration abstract_class_declaration module internal_module import_alias
        public_field_definition method_signature abstract_method_signature function_signature
        property_signature call_signature construct_signature index_signature
    """),
    expressions=words("""
        non_null_expression type_assertion as_expression satisfies_expression
        instantiation_expression conditional_type generic_type union_type intersection_type
        function_type object_type array_type tuple_type type_query index_type_query lookup_type
        template_literal_type type_predicate constructor_type readonly_type
    """),
    parts=words("""
        program namespace_export export_clause export_specifier import_clause namespace_import
        named_imports import_specifier import_attribute variable_declarator statement_block
        switch_body nested_identifier class_heritage meta_property arguments class_body
        formal_parameters import_require_clause extends_clause implements_clause
        nested_type_identifier extends_type_clause enum_body required_parameter optional_parameter
        omitting_type_annotation adding_type_annotation opting_type_annotation type_annotation
        asserts_annotation optional_type rest_type template_type infer_type
        type_predicate_annotation mapped_type_clause literal_type flow_maybe_type
        parenthesized_type type_arguments type_parameters type_parameter default_type constraint
        interface_body jsx_opening_element jsx_namespace_name jsx_closing_element jsx_attribute
    """),
    scopes={
        "interface_declaration": "interface",
        "abstract_class_declaration": "class",
        "enum_declaration": "enum",
        "internal_module": "namespace",
        "module": "module",
    },
    named_by_parent={"public_field_definition": "name"},
)  # fmt: skip
