"""Python, the reference. Kinds of tree-sitter-python 0.25; builtins of Python 3.11."""

from __future__ import annotations

from tokenscope_core.syntax.grammar.categories import CategoryMap, words

BUILTINS = words("""
    abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr classmethod
    compile complex copyright credits delattr dict dir divmod enumerate eval exec exit filter float
    format frozenset getattr globals hasattr hash help hex id input int isinstance issubclass iter
    len license list locals map max memoryview min next object oct open ord pow print property quit
    range repr reversed round set setattr slice sorted staticmethod str sum super tuple type vars
    zip __import__ __build_class__ Ellipsis NotImplemented __name__ __file__ __doc__ __debug__
    ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError
    BrokenPipeError BufferError BytesWarning ChildProcessError ConnectionAbortedError
    ConnectionError ConnectionRefusedError ConnectionResetError DeprecationWarning EOFError
    EncodingWarning EnvironmentError Exception ExceptionGroup FileExistsError FileNotFoundError
    WindowsError FloatingPointError FutureWarning GeneratorExit IOError ImportError ImportWarning
    IndentationError IndexError InterruptedError IsADirectoryError KeyError KeyboardInterrupt
    LookupError MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplementedError
    OSError OverflowError PendingDeprecationWarning PermissionError ProcessLookupError
    RecursionError ReferenceError ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration
    StopIteration SyntaxError SyntaxWarning SystemError SystemExit TabError TimeoutError TypeError
    UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError UnicodeTranslateError
    UnicodeWarning UserWarning ValueError Warning ZeroDivisionError
""")

_SPLATS = ("list_splat_pattern", "dictionary_splat_pattern")

MAP = CategoryMap(
    leaves={
        "identifier": "variable",
        "ellipsis": "constant",
        "integer": "number",
        "float": "number",
        "true": "boolean",
        "false": "boolean",
        "none": "null",
        "comment": "comment",
        "line_continuation": "whitespace",
        "string": "string",
        "string_start": "string",
        "string_content": "string",
        "string_end": "string",
        "escape_sequence": "string",
        "escape_interpolation": "string",
        "type_conversion": "string",
        "format_specifier": "string",
        "positional_separator": "delimiter",
        "keyword_separator": "delimiter",
    },
    names=words("identifier"),
    roles={
        ("function_definition", "name"): "function name",
        ("class_definition", "name"): "class name",
        ("class_definition", "superclasses", "argument_list", None): "type",
        ("call", "function"): "call target",
        ("call", "function", "attribute", "attribute"): "call target",
        ("attribute", "attribute"): "attribute",
        ("decorator", None): "decorator",
        ("parameters", None): "parameter",
        ("lambda_parameters", None): "parameter",
        ("default_parameter", "name"): "parameter",
        ("typed_default_parameter", "name"): "parameter",
        ("typed_parameter", None): "parameter",
        **{
            (parent, None, splat, None): "parameter"
            for parent in ("parameters", "lambda_parameters", "typed_parameter")
            for splat in _SPLATS
        },
        ("keyword_argument", "name"): "parameter",
        ("import_statement", "name", "dotted_name", None): "module",
        ("import_from_statement", "module_name", "dotted_name", None): "module",
        ("aliased_import", "name", "dotted_name", None): "module",
        ("aliased_import", "alias"): "module",
        ("relative_import", None, "dotted_name", None): "module",
        ("future_import_statement", "name", "dotted_name", None): "module",
        ("class_pattern", None, "dotted_name", None): "type",
        ("keyword_pattern", None): "attribute",
    },
    tokens={
        **dict.fromkeys(("and", "or", "not"), "logical operator"),
        **dict.fromkeys(("in", "is", "not in", "is not"), "comparison operator"),
        "@": "arithmetic operator",
        "_": "variable",
        "\\": "whitespace",
        "__future__": "module",
    },
    tokens_in={
        **{(word, kind): "keyword" for word in ("in",) for kind in ("for_statement",
           "for_in_clause", "exec_statement")},
        ("not", "not in"): "comparison operator",
        ("not", "is not"): "comparison operator",
        ("@", "decorator"): "delimiter",
        **{("=", kind): "delimiter" for kind in ("keyword_argument", "default_parameter",
           "typed_default_parameter", "keyword_pattern", "interpolation",
           "constrained_type")},
        **{("*", kind): "other operator" for kind in ("list_splat", "list_splat_pattern",
           "parenthesized_list_splat", "splat_pattern", "splat_type", "except_clause")},
        ("*", "wildcard_import"): "module",
        ("*", "keyword_separator"): "delimiter",
        ("/", "positional_separator"): "delimiter",
        **{("**", kind): "other operator" for kind in ("dictionary_splat",
           "dictionary_splat_pattern", "splat_pattern", "splat_type")},
        ("|", "union_pattern"): "other operator",
        ("|", "union_type"): "other operator",
        (">>", "chevron"): "other operator",
    },
    statements=words("""
        import_statement future_import_statement import_from_statement print_statement
        assert_statement return_statement delete_statement raise_statement
        pass_statement break_statement continue_statement if_statement elif_clause else_clause
        match_statement case_clause for_statement while_statement try_statement except_clause
        finally_clause with_statement function_definition global_statement nonlocal_statement
        exec_statement type_alias_statement class_definition decorated_definition decorator
        expression_statement assignment augmented_assignment
    """),
    expressions=words("""
        named_expression parenthesized_expression not_operator boolean_operator binary_operator
        unary_operator comparison_operator lambda yield attribute subscript slice call list set
        tuple dictionary list_comprehension dictionary_comprehension set_comprehension
        generator_expression for_in_clause if_clause conditional_expression interpolation await
        list_splat dictionary_splat parenthesized_list_splat keyword_argument as_pattern
        union_pattern list_pattern tuple_pattern dict_pattern keyword_pattern splat_pattern
        class_pattern complex_pattern format_expression concatenated_string
    """),
    parts=words("""
        module import_prefix relative_import aliased_import wildcard_import chevron block
        with_clause with_item parameters lambda_parameters type_parameter argument_list
        expression_list dotted_name case_pattern default_parameter typed_default_parameter
        list_splat_pattern dictionary_splat_pattern pattern_list typed_parameter type splat_type
        generic_type union_type constrained_type member_type pair string as_pattern_target
        string_content format_specifier positional_separator keyword_separator
    """),
    scopes={
        "class_definition": "class",
        "function_definition": "function",
        "lambda": "lambda",
        "if_statement": "if",
        "for_statement": "for",
        "while_statement": "while",
        "try_statement": "try",
        "with_statement": "with",
        "match_statement": "match",
    },
    functions=words("function_definition"),
    builtins=BUILTINS,
    type_contexts=words("type generic_type union_type type_parameter"),
    type_breaks=words("call argument_list"),
    docstring_parents=words("module function_definition class_definition"),
)  # fmt: skip
