"""The languages whose programs can be read, and how to tell which one a text is in."""

from __future__ import annotations

import contextlib
import functools
import importlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from tree_sitter import Language, Parser

from tokenscope_core.errors import RequestError
from tokenscope_core.syntax.budget import Budget, OutOfTime, parse_within
from tokenscope_core.syntax.categories import CategoryMap, words


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """A tree-sitter grammar with what we know about it.

    `categories` is None for a language without a category map: leaves and node kinds still
    work, categories come out as "other". `closers` are texts that may end an unfinished token,
    `fillers` what may stand for what is still to come, inside and after the open brackets. The
    parser of an `ascii_only` grammar sees a letter for every byte beyond ASCII.
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

    def readable(self, text: bytes) -> bytes:
        """The text as the parser may have it: byte for byte as long."""
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


_LETTERS = bytes(range(128)) + 128 * b"x"
_C_CLOSERS = ('"', "'", "*/", ">", "\n")
_JS_CLOSERS = ('"', "'", "`", "*/", "/", ";", "amp;")

# In the order in which a tie is decided: each before those that accept nearly all of it.
_SOURCES: dict[str, _Source] = {
    "python": _Source(
        "tree_sitter_python", "Python", words("py pyi pyw"), words("python py python3 py3 pycon"),
        ('"""', "'''", '"', "'"), (("x", ""), ("", ":"), ("x", ":")),
    ),
    "javascript": _Source(
        "tree_sitter_javascript", "JavaScript", words("js mjs cjs jsx"),
        words("javascript js jsx node mjs"), _JS_CLOSERS,
    ),
    "typescript": _Source(
        "tree_sitter_typescript", "TypeScript", words("ts mts cts"), words("typescript ts"),
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
        "tree_sitter_cpp", "C++", words("cpp cc cxx hpp hh hxx"), words("cpp c++ cxx cc hpp"),
        (*_C_CLOSERS, ')"'),
    ),
    "bash": _Source(
        "tree_sitter_bash", "Bash", words("sh bash zsh"),
        words("bash sh shell zsh console shell-session"), ('"', "'", "`", "\n"),
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
    table = importlib.import_module(f"tokenscope_core.syntax.maps.{source.map or name}").MAP
    return Grammar.of(
        name, language, table, source.closers, source.fillers, ascii_only=source.ascii_only
    )


@dataclass(frozen=True, slots=True)
class Detection:
    """A language and how sure it is.

    `certain`: a fence or a file name says so. `likely`: the text parses with clearly fewer error
    bytes than in any other language. `guess`: several languages fit about as well. `language` is
    None when nothing is known. `error_share` is the share of the text inside errors, by language
    (empty where nothing was parsed; without those whose parser took too long).
    """

    language: str | None
    certainty: Literal["certain", "likely", "guess"]
    error_share: dict[str, float]


# Enough to tell, and bounds the time: ten parses of 20 kB take about 30 ms.
DETECTION_BYTES = 20_000
# A language that takes longer over them, usually 3 ms, is none of those that fit.
DETECTION_SECONDS = 0.5
# "Likely" asks the runner-up for this much more of the text in errors.
CLEAR_MARGIN = 0.02


def detect(text: str | bytes = "", *, fence: str = "", filename: str = "") -> Detection:
    """The language of a text: by its fence's word, else its file name, else the text itself.

    The text is judged by its first `DETECTION_BYTES`, parsed in every language.
    """
    word = fence.strip().lower().split(maxsplit=1)[0].strip("{}.") if fence.strip() else ""
    ending = PurePath(filename).suffix.lower().removeprefix(".")
    for name, source in _SOURCES.items():
        if word in source.fences or ending in source.endings or filename in source.files:
            return Detection(name, "certain", {})
    blob = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if not blob.strip():
        return Detection(None, "guess", {})
    shares: dict[str, float] = {}
    for name in LANGUAGES:
        with contextlib.suppress(OutOfTime):
            shares[name] = error_share(blob[:DETECTION_BYTES], grammar(name))
    if not shares:
        return Detection(None, "guess", {})
    first, *others = sorted(shares, key=shares.__getitem__)
    clear = not others or shares[others[0]] - shares[first] >= CLEAR_MARGIN
    return Detection(first, "likely" if clear else "guess", shares)


def best_fit(text: bytes) -> str | None:
    """The language that `detect` finds in a text; quicker, since the first that fits will do."""
    if not text.strip():
        return None
    shares: dict[str, float] = {}
    for name in LANGUAGES:
        with contextlib.suppress(OutOfTime):
            shares[name] = error_share(text[:DETECTION_BYTES], grammar(name))
        if shares.get(name) == 0:
            break
    return min(shares, key=shares.__getitem__, default=None)


def error_share(text: bytes, grammar: Grammar) -> float:
    """The share of the bytes that the parser could give no place: 0 for valid code.

    Counts what stands directly in an ERROR node, not what could be parsed below it; every token
    that had to be made up counts as one byte.

    Raises:
        OutOfTime: it takes longer than `DETECTION_SECONDS`.
    """
    errors = 0
    budget = Budget(DETECTION_SECONDS)
    cursor = parse_within(Parser(grammar.language), grammar.readable(text), budget).walk()
    while True:
        node = cursor.node
        assert node is not None
        if node.is_missing:
            errors += 1
        elif node.is_error:
            errors += sum(c.end_byte - c.start_byte for c in node.children if not c.child_count)
            errors += (node.end_byte - node.start_byte) if not node.child_count else 0
        if node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return errors / max(len(text), 1)
