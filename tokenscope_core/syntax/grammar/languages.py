"""The languages whose programs can be read, and the names they go by."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from tree_sitter import Language

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


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a grammar and its map come from, and how texts in the language are marked."""

    module: str
    label: str
    endings: frozenset[str]
    fences: frozenset[str]
    closers: tuple[str, ...]
    fillers: tuple[tuple[str, str], ...] = (("x", ""), ("", ";"), ("x", ";"))
    entry: str = "language"
    map: str | None = None
    files: frozenset[str] = frozenset()
    # tree-sitter-bash 0.25.1 reads outside of a table, and may crash, where a character beyond
    # ASCII follows an opening brace (its issue 337).
    ascii_only: bool = False
    rewrite: Callable[[bytes], bytes] | None = None


_LETTERS = bytes(range(128)) + 128 * b"x"
_C_CLOSERS = ('"', "'", "*/", ">", "\n")
_JS_CLOSERS = ('"', "'", "`", "*/", "/", ";", "amp;")

# In the order in which a tie is decided: each before those that accept nearly all of it.
_SOURCES: dict[str, _Source] = {
    "python": _Source(
        "tree_sitter_python", "Python", words("py pyi pyw"),
        words("python py python3 py3 pyi jupyter sage"),
        ('"""', "'''", '"', "'"), (("x", ""), ("", ":"), ("x", ":")), rewrite=as_bounds,
    ),
    "javascript": _Source(
        "tree_sitter_javascript", "JavaScript", words("js mjs cjs jsx"),
        words("javascript js jsx node mjs cjs"), _JS_CLOSERS,
    ),
    "typescript": _Source(
        "tree_sitter_typescript", "TypeScript", words("ts mts cts"), words("typescript ts mts cts"),
        _JS_CLOSERS, entry="language_typescript",
    ),
    "tsx": _Source(
        "tree_sitter_typescript", "TSX", words("tsx"), words("tsx"), _JS_CLOSERS,
        entry="language_tsx", map="typescript",
    ),
    "java": _Source(
        "tree_sitter_java", "Java", words("java"), words("java"), ('"', "'", '"""', "*/", "x'")
    ),
    "go": _Source(
        "tree_sitter_go", "Go", words("go"), words("go golang"), ('"', "'", "`", "*/", "x'")
    ),
    "rust": _Source(
        "tree_sitter_rust", "Rust", words("rs"), words("rust rs"), ('"', "'", '"#', "*/")
    ),
    "c": _Source("tree_sitter_c", "C", words("c h"), words("c h"), _C_CLOSERS),
    "cpp": _Source(
        "tree_sitter_cpp", "C++", words("cpp cc cxx hpp hh hxx"), words("cpp c++ cxx cc hpp hh"),
        (*_C_CLOSERS, ')"'),
    ),
    "bash": _Source(
        "tree_sitter_bash", "Bash", words("sh bash zsh"),
        words("bash sh shell zsh shellscript"), ('"', "'", "`", "\n"),
        files=words(".bashrc .profile .bash_profile"), ascii_only=True,
    ),
}  # fmt: skip
LANGUAGES: tuple[str, ...] = tuple(_SOURCES)
LABELS: dict[str, str] = {name: source.label for name, source in _SOURCES.items()}


@functools.cache
def grammar(name: str) -> Grammar:
    """The grammar of one of `LANGUAGES`, loaded once.

    Raises:
        RequestError: there is none of that name.
    """
    if name not in _SOURCES:
        raise RequestError(
            asked=f"The language {name!r} was asked for.",
            found="There is no grammar of that name.",
            action=f"Choose one of {', '.join(LANGUAGES)}.",
        )
    source = _SOURCES[name]
    language = Language(getattr(importlib.import_module(source.module), source.entry)())
    table = importlib.import_module(f"tokenscope_core.syntax.grammar.maps.{source.map or name}").MAP
    return Grammar.of(
        name, language, table, source.closers, source.fillers, ascii_only=source.ascii_only,
        rewrite=source.rewrite,
    )  # fmt: skip


def named(*, fence: str = "", filename: str = "") -> str | None:
    """The language that the words on a fence name, or a file's name; None where neither does."""
    words_ = _FENCE_WORD.findall(fence.lower())
    word = words_[0] if words_ else ""
    ending = PurePath(filename).suffix.lower().removeprefix(".")
    for name, source in _SOURCES.items():
        if word in source.fences or ending in source.endings or filename in source.files:
            return name
    return None


# A fence may say more: `rust,ignore`, `{.python}`, `js title="a"`, `python:main.py`.
_FENCE_WORD = re.compile(r"[\w+#-]+")
