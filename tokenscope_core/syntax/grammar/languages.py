"""The languages whose programs can be read, one row each: grammar, names, and how texts in them are
told. `docs/adding.md` has the steps to a new one.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from tree_sitter import Language

from tokenscope_core.caching import cache
from tokenscope_core.errors import RequestError
from tokenscope_core.syntax.grammar.categories import CategoryMap, words
from tokenscope_core.syntax.grammar.type_defaults import as_bounds


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """A tree-sitter grammar with what we know about it.

    `categories` is None for a language without a category map: leaves and node kinds still
    work, categories come out as "other". `closers` are texts that may end an unfinished token,
    `fillers` what may stand for what is still to come, inside and after the open brackets. The
    parser of an `ascii_only` grammar sees a letter for every byte beyond ASCII. `rewrite` says what
    else it sees instead of the text: as long, byte for byte, and made of what comes before each.
    """

    name: str
    language: Language
    categories: CategoryMap | None
    kind_names: tuple[str, ...]
    kind_is_named: tuple[bool, ...]
    field_names: tuple[str | None, ...]
    closers: tuple[str, ...] = ()
    fillers: tuple[tuple[str, str], ...] = (("x", ""),)
    ascii_only: bool = False
    rewrite: Callable[[bytes], bytes] | None = None

    def readable(self, text: bytes) -> bytes:
        """The text as the parser may have it: byte for byte as long."""
        if self.rewrite is not None:
            return self.rewrite(text)
        return text.translate(_LETTERS) if self.ascii_only else text

    @classmethod
    def of(
        cls,
        name: str,
        language: Language,
        categories: CategoryMap | None = None,
        closers: tuple[str, ...] = (),
        fillers: tuple[tuple[str, str], ...] = (("x", ""),),
        ascii_only: bool = False,
        rewrite: Callable[[bytes], bytes] | None = None,
    ) -> Grammar:
        """Read the names a grammar uses once."""
        kinds = range(language.node_kind_count)
        fields = range(1, language.field_count + 1)
        return cls(
            name=name,
            language=language,
            categories=categories,
            kind_names=tuple(language.node_kind_for_id(kind) or "" for kind in kinds),
            kind_is_named=tuple(language.node_kind_is_named(kind) for kind in kinds),
            field_names=(None, *(language.field_name_for_id(field) for field in fields)),
            closers=closers,
            fillers=fillers,
            ascii_only=ascii_only,
            rewrite=rewrite,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageRow:
    """One language, whole: a row that lacks something cannot be made.

    - `label`: as people write it.
    - `module`, `entry`: the package of its grammar, and the function there.
    - `map`: the module in `maps` that says what its kinds of nodes mean.
    - `endings`, `files`: how file names end, and whole ones.
    - `fences`: words behind a fence that name it.
    - `classifier`: what the classifier calls it; nothing where it is told from a relative only.
    - `shebang`: of a script's first line, how it names the language; None where none does.
    - `family`: the same for languages that accept nearly all of each other. Between them their
      grammars decide, and of equals the first in the table.
    - `by_grammar`: whether a text that its grammar accepts may be taken for it on that ground
      alone. Not where the grammar accepts nearly any text, which would hide all others.
    - `backticks`: whether three backticks may begin a line of it, outside of texts and comments.
    - `cr_ends_lines`: whether its definition lets a lone carriage return end a line.
    - `preprocessed`: whether macros may stand behind what its grammar cannot parse.
    - `closers`, `fillers`, `ascii_only`, `rewrite`: as of its `Grammar`.
    """

    label: str
    module: str
    entry: str
    map: str
    endings: frozenset[str]
    files: frozenset[str]
    fences: frozenset[str]
    classifier: frozenset[str]
    shebang: re.Pattern[bytes] | None
    family: str
    by_grammar: bool
    backticks: bool
    cr_ends_lines: bool
    preprocessed: bool
    closers: tuple[str, ...]
    fillers: tuple[tuple[str, str], ...]
    ascii_only: bool
    rewrite: Callable[[bytes], bytes] | None


_LETTERS = bytes(range(128)) + 128 * b"x"
_C_CLOSERS = ('"', "'", "*/", ">", "\n")
_JS_CLOSERS = ('"', "'", "`", "*/", "/", ";", "amp;")

_FILLERS = (("x", ""), ("", ";"), ("x", ";"))

# In the order in which a tie is decided: each before those that accept nearly all of it.
ROWS: dict[str, LanguageRow] = {
    "python": LanguageRow(
        label="Python", module="tree_sitter_python", entry="language", map="python",
        endings=words("py pyi pyw"), files=frozenset(),
        fences=words("python py python3 py3 pyi jupyter sage"), classifier=words("python"),
        shebang=re.compile(rb"#![^\n]*\bpython"), family="python", by_grammar=True,
        backticks=False, cr_ends_lines=True, preprocessed=False,
        closers=('"""', "'''", '"', "'"), fillers=(("x", ""), ("", ":"), ("x", ":")),
        ascii_only=False, rewrite=as_bounds,
    ),
    "javascript": LanguageRow(
        label="JavaScript", module="tree_sitter_javascript", entry="language", map="javascript",
        endings=words("js mjs cjs jsx"), files=frozenset(),
        fences=words("javascript js jsx node mjs cjs"), classifier=words("javascript"),
        shebang=re.compile(rb"#![^\n]*\bnode\b"), family="javascript", by_grammar=True,
        backticks=True, cr_ends_lines=True, preprocessed=False,
        closers=_JS_CLOSERS, fillers=_FILLERS, ascii_only=False, rewrite=None,
    ),
    "typescript": LanguageRow(
        label="TypeScript", module="tree_sitter_typescript", entry="language_typescript",
        map="typescript",
        endings=words("ts mts cts"), files=frozenset(),
        fences=words("typescript ts mts cts"), classifier=words("typescript"),
        shebang=None, family="javascript", by_grammar=True,
        backticks=True, cr_ends_lines=True, preprocessed=False,
        closers=_JS_CLOSERS, fillers=_FILLERS, ascii_only=False, rewrite=None,
    ),
    "tsx": LanguageRow(
        label="TSX", module="tree_sitter_typescript", entry="language_tsx", map="typescript",
        endings=words("tsx"), files=frozenset(),
        fences=words("tsx"), classifier=frozenset(),
        shebang=None, family="javascript", by_grammar=True,
        backticks=True, cr_ends_lines=True, preprocessed=False,
        closers=_JS_CLOSERS, fillers=_FILLERS, ascii_only=False, rewrite=None,
    ),
    "java": LanguageRow(
        label="Java", module="tree_sitter_java", entry="language", map="java",
        endings=words("java"), files=frozenset(),
        fences=words("java"), classifier=words("java"),
        shebang=None, family="java", by_grammar=True,
        backticks=False, cr_ends_lines=True, preprocessed=False,
        closers=('"', "'", '"""', "*/", "x'"), fillers=_FILLERS, ascii_only=False, rewrite=None,
    ),
    "go": LanguageRow(
        label="Go", module="tree_sitter_go", entry="language", map="go",
        endings=words("go"), files=frozenset(),
        fences=words("go golang"), classifier=words("go"),
        shebang=None, family="go", by_grammar=True,
        backticks=True, cr_ends_lines=False, preprocessed=False,
        closers=('"', "'", "`", "*/", "x'"), fillers=_FILLERS, ascii_only=False, rewrite=None,
    ),
    "rust": LanguageRow(
        label="Rust", module="tree_sitter_rust", entry="language", map="rust",
        endings=words("rs"), files=frozenset(),
        fences=words("rust rs"), classifier=words("rust"),
        shebang=None, family="rust", by_grammar=True,
        backticks=False, cr_ends_lines=False, preprocessed=False,
        closers=('"', "'", '"#', "*/"), fillers=_FILLERS, ascii_only=False, rewrite=None,
    ),
    "c": LanguageRow(
        label="C", module="tree_sitter_c", entry="language", map="c",
        endings=words("c h"), files=frozenset(),
        fences=words("c h"), classifier=words("c"),
        shebang=None, family="c", by_grammar=True,
        backticks=False, cr_ends_lines=True, preprocessed=True,
        closers=_C_CLOSERS, fillers=_FILLERS, ascii_only=False, rewrite=None,
    ),
    "cpp": LanguageRow(
        label="C++", module="tree_sitter_cpp", entry="language", map="cpp",
        endings=words("cpp cc cxx hpp hh hxx"), files=frozenset(),
        fences=words("cpp c++ cxx cc hpp hh"), classifier=words("cpp"),
        shebang=None, family="c", by_grammar=True,
        backticks=False, cr_ends_lines=True, preprocessed=True,
        closers=(*_C_CLOSERS, ')"'), fillers=_FILLERS, ascii_only=False, rewrite=None,
    ),
    # tree-sitter-bash 0.25.1 reads outside of a table, and may crash, where a character beyond
    # ASCII follows an opening brace (its issue 337). It takes nearly any words for commands.
    "bash": LanguageRow(
        label="Bash", module="tree_sitter_bash", entry="language", map="bash",
        endings=words("sh bash zsh"), files=words(".bashrc .profile .bash_profile"),
        fences=words("bash sh shell zsh shellscript"), classifier=words("shell"),
        shebang=re.compile(rb"#![^\n]*\b(?:ba|da|z|k)?sh\b"), family="bash", by_grammar=False,
        backticks=True, cr_ends_lines=False, preprocessed=False,
        closers=('"', "'", "`", "\n"), fillers=_FILLERS, ascii_only=True, rewrite=None,
    ),
}  # fmt: skip
LANGUAGES: tuple[str, ...] = tuple(ROWS)
LABELS: dict[str, str] = {name: row.label for name, row in ROWS.items()}


@cache
def grammar(name: str) -> Grammar:
    """The grammar of one of `LANGUAGES`, loaded once.

    Raises:
        RequestError: there is none of that name.
    """
    if name not in ROWS:
        raise RequestError(
            asked=f"The language {name!r} was asked for.",
            found="There is no grammar of that name.",
            action=f"Choose one of {', '.join(LANGUAGES)}.",
        )
    row = ROWS[name]
    language = Language(getattr(importlib.import_module(row.module), row.entry)())
    table = importlib.import_module(f"tokenscope_core.syntax.grammar.maps.{row.map}").MAP
    return Grammar.of(
        name, language, table, row.closers, row.fillers, ascii_only=row.ascii_only,
        rewrite=row.rewrite,
    )  # fmt: skip


def relatives(name: str) -> tuple[str, ...]:
    """The languages of the same family, itself among them, in the order of the table."""
    return tuple(other for other, row in ROWS.items() if row.family == ROWS[name].family)


def named(*, fence: str = "", filename: str = "") -> str | None:
    """The language that the words on a fence name, or a file's name; None where neither does."""
    words_ = _FENCE_WORD.findall(fence.lower())
    word = words_[0] if words_ else ""
    ending = PurePath(filename).suffix.lower().removeprefix(".")
    for name, row in ROWS.items():
        if word in row.fences or ending in row.endings or filename in row.files:
            return name
    return None


# A fence may say more: `rust,ignore`, `{.python}`, `js title="a"`, `python:main.py`.
_FENCE_WORD = re.compile(r"[\w+#-]+")
