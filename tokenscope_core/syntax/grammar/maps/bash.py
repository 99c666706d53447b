"""Bash. Kinds of tree-sitter-bash 0.25."""

from __future__ import annotations

from tokenscope_core.syntax.grammar.categories import CategoryMap, words

BUILTINS = words("""
    alias bg bind break builtin cd command compgen complete continue dirs disown echo enable eval
    exec exit false fc fg getopts hash help history jobs kill let logout mapfile popd printf pushd
    pwd read readarray return set shift shopt source suspend test times trap true type ulimit umask
    unalias wait . :
""")
_EXPANSION = ("expansion", "simple_expansion")

MAP = CategoryMap(
    leaves={
        "word": "string",
        "variable_name": "variable",
        "special_variable_name": "variable",
        "number": "number",
        "file_descriptor": "number",
        "string": "string",
        "string_content": "string",
        "raw_string": "string",
        "ansi_c_string": "string",
        "translated_string": "string",
        "heredoc_start": "label",
        "heredoc_end": "label",
        "heredoc_body": "string",
        "heredoc_content": "string",
        "regex": "regular expression",
        "extglob_pattern": "regular expression",
        "test_operator": "comparison operator",
        "comment": "comment",
    },
    names=words("word variable_name"),
    roles={
        ("function_definition", "name"): "function name",
        ("command_name", None): "call target",
    },
    tokens={
        **dict.fromkeys(words("$ ${ $( $(( $[ $` (( )) [[ ]] <( >( ;; ;& ;;& .."), "delimiter"),
        **dict.fromkeys(words("&> &>> <& >& >| <&- >&- <<- <<< << |&"), "other operator"),
        **dict.fromkeys(words(":= :- :+ :? %% /# /% ,, ^^ ##"), "other operator"),
        "``": "delimiter",
        "`": "delimiter",
        "-o": "logical operator",
        "-a": "logical operator",
    },
    tokens_in={
        **{(mark, "file_redirect"): "other operator" for mark in words("< > >> &> &>> <& >& >|")},
        **{(mark, "heredoc_redirect"): "other operator" for mark in words("<< <<-")},
        ("|", "pipeline"): "other operator",
        ("&", "list"): "other operator",
        ("&", "program"): "other operator",
        **{(mark, kind): "other operator" for kind in _EXPANSION for mark in words(
           "- + ? = # % / , ^ : @ * ! u U L Q E P A K a k")},
        ("|", "case_item"): "other operator",
    },
    statements=words("""
        redirected_statement for_statement c_style_for_statement variable_assignment
        while_statement if_statement elif_clause else_clause case_statement case_item
        function_definition pipeline list negated_command test_command declaration_command
        unset_command command file_redirect heredoc_redirect herestring_redirect
        variable_assignments
    """),
    expressions=words("""
        unary_expression binary_expression postfix_expression parenthesized_expression
        ternary_expression arithmetic_expansion brace_expression concatenation array
        simple_expansion expansion command_substitution process_substitution subshell subscript
    """),
    parts=words("""
        program do_group compound_statement command_name
    """),
    scopes={
        "function_definition": "function",
        "if_statement": "if",
        "for_statement": "for",
        "c_style_for_statement": "for",
        "while_statement": "while",
        "case_statement": "case",
        "subshell": "subshell",
    },
    functions=words("function_definition"),
    builtins=BUILTINS,
)  # fmt: skip
