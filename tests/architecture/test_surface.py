"""The shape of the house: imports point one way, and the public surface is the documented one."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from architecture.rooms import ROOT, imported, modules

import tokenscope_core as ts

HEAVY = ("torch", "transformers", "tokenizers", "streamlit")
VALUES = (
    "attention.capture_tasks",
    "attention.capturing.estimate",
    "attention.capturing.maps",
    "attention.capturing.selection",
    "attention.difference",
    "attention.flow.parts",
    "attention.flow.sums",
    "attention.heads.token_locations",
    "attention.on_demand",
    "attention.records",
    "attention.summaries",
    "attention.tokens.leaning",
    "attention.tokens.tasks",
    "comparison.alignment",
    "comparison.comparison",
    "comparison.model_comparison",
    "comparison.model_tables",
    "comparison.tables",
    "decoding.filters",
    "decoding.stopping",
    "errors",
    "export",
    "failures",
    "jobs.analysis_records",
    "jobs.generation_jobs",
    "jobs.model_pool",
    "jobs.service",
    "jobs.worker",
    "models.files.choice",
    "models.files.facts",
    "models.files.hub",
    "models.files.load_progress",
    "models.files.machine",
    "models.files.memory_need",
    "models.files.model_files",
    "models.files.sources",
    "models.files.weight_files",
    "models.loading",
    "record.array_records",
    "record.arrow_files",
    "record.edits",
    "record.metric_registry",
    "record.request",
    "record.steps",
    "record.tables",
    "record.trace",
    "record.trace_format",
    "record.trace_format_v1",
    "sessions.format",
    "sessions.recipe_format",
    "sessions.session",
    "sessions.tables",
    "settings",
    "sharing.links",
    "sharing.session_file",
    "store.store",
    "syntax.folding.aggregation",
    "syntax.folding.differences",
    "syntax.folding.icicle",
    "syntax.judging.structure",
    "syntax.judging.validity",
)
# What these say is a sentence of ours.
OUR_ERRORS = {
    "TokenScopeError", "RecordError", "RequestError", "ShareError", "ModelError", "ArchiveError",
    "MalformedError", "archive",
}  # fmt: skip
# DESIGN section 4, as far as it is built.
DOCUMENTED = (
    "load_model", "Request", "Sampling", "generate", "stream", "score", "token_frame",
    "candidate_frame", "compare", "Comparison", "Session", "Trace", "Store", "TokenScopeError",
    "TokenStep", "share", "Shared", "session_file", "export",
    "import_openai_logprobs",
    "syntax_frame", "aggregate", "aggregate_difference", "icicle_frame", "attention", "rollout",
)  # fmt: skip


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("tokenscope_core", ("streamlit", "tokenscope_ui", "pages", "app", "altair")),
        ("tokenscope_ui", ("pages", "app", "torch", "transformers")),
        ("pages", ("torch", "transformers")),
        ("app", ("torch", "transformers")),
    ],
)
def test_layers_do_not_reach_up_or_past_each_other(
    package: str, forbidden: tuple[str, ...]
) -> None:
    checked = 0
    for name, path in modules().items():
        if name.split(".")[0] != package:
            continue
        checked += 1
        roots = {target.split(".")[0] for target in imported(name, path)}
        assert not roots & set(forbidden), name
    assert checked


def test_no_core_module_imports_the_package_that_re_exports_it() -> None:
    for name, path in modules().items():
        if name.startswith("tokenscope_core.") and not name.endswith("__main__"):
            targets = imported(name, path)
            submodules = {t for t in targets if t.startswith("tokenscope_core.")}
            values = {n for n in ts.__all__ if not isinstance(getattr(ts, n), ModuleType)}
            public = {f"tokenscope_core.{public}" for public in values}
            assert not submodules & public, name


def test_values_open_without_torch_transformers_or_streamlit() -> None:
    names = ", ".join(f"tokenscope_core.{name}" for name in VALUES)
    program = f"import sys, {names}; sys.exit(', '.join({set(HEAVY)!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()


def test_all_is_the_public_surface() -> None:
    assert dir(ts) == sorted(set(ts.__all__))
    for name in ts.__all__:
        assert getattr(ts, name) is not None
    bound = {
        name
        for name, value in vars(ts).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert bound - {"annotations", "TYPE_CHECKING", "Any"} <= set(ts.__all__)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_documented_names_are_there(name: str) -> None:
    assert name in ts.__all__
    documentation = getattr(ts, name).__doc__
    assert documentation
    assert documentation.strip()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = ts.nothing_like_it  # type: ignore[attr-defined]


def _caught(handler: ast.ExceptHandler) -> set[str]:
    """The names of what a handler catches."""
    nodes = list(ast.walk(handler.type)) if handler.type else []
    return {n.id for n in nodes if isinstance(n, ast.Name)} | {
        n.attr for n in nodes if isinstance(n, ast.Attribute)
    }


def _text_made_of(node: ast.AST) -> ast.AST | None:
    """What a part of an f-string, or one of a few calls, makes a text of."""
    if isinstance(node, ast.FormattedValue):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        return node.args[0] if node.func.id in ("str", "repr", "summary_of") else None
    return None


def _is_told_to_the_log(node: ast.AST) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    name = called.id if isinstance(called, ast.Name) else ""
    of = called.value if isinstance(called, ast.Attribute) else None
    return name.startswith(("_log", "log_")) or (isinstance(of, ast.Name) and of.id == "_LOG")


def _within(handler: ast.AST) -> Iterator[ast.AST]:
    """All nodes in it but those that the log alone is told."""
    waiting = [handler]
    while waiting:
        node = waiting.pop()
        if not _is_told_to_the_log(node):
            yield node
            waiting += ast.iter_child_nodes(node)


def _quotes_foreign_errors(path: Path) -> list[int]:
    """The lines on which what a foreign error says becomes part of a text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.lineno
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler) and not _caught(handler) <= OUR_ERRORS
        for node in _within(handler)
        if isinstance(node, (ast.FormattedValue, ast.Call))
        and isinstance(text := _text_made_of(node), ast.Name)
        and text.id == handler.name
    ]


def test_no_sentence_of_ours_quotes_what_a_foreign_error_says() -> None:
    # At the shell the person is the operator, and is told what the system said of a file; what a
    # template says in refusing is meant for whoever wrote to it.
    exempt = {"tokenscope_core.__main__", "tokenscope_core.prompts.template_child"}
    shown = {
        name: lines
        for name, path in modules().items()
        if name not in exempt and (lines := _quotes_foreign_errors(path))
    }
    assert shown == {}, "use `failures.reason_of`, or tell the log"


def test_every_public_error_says_what_was_asked_found_and_to_do() -> None:
    errors = importlib.import_module("tokenscope_core.errors")
    kinds = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(kinds) > 5
    for kind in kinds:
        assert issubclass(kind, ts.TokenScopeError)
        assert kind.__name__ in ts.__all__
        assert kind.__name__ in (errors.__doc__ or ""), "the tree in the docstring is complete"
