"""The notebook runs offline from a fresh kernel, and shows what its text promises."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import tokenscope_core as ts

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "first-look.ipynb"
# For a busy machine; by itself it takes some twenty seconds.
CELL_SECONDS = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    """What the cells show, as HTML or text, after a run in a folder of its own."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(ROOT))
        environment.setenv("HF_HUB_OFFLINE", "1")
        environment.setenv("TOKENSCOPE_STORE", str(folder / "store"))
        environment.setenv("IPYTHONDIR", str(folder / "ipython"))
        NotebookClient(
            notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(folder)}}
        ).execute()
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            data = output.get("data", {})
            shown.append(data.get("text/html") or "".join(map(str, data.values())))
    return "\n".join(shown)


@pytest.mark.parametrize(
    "expected",
    [
        'aria-label="Trace"', 'aria-label="Comparison"', 'aria-label="Attention"',
        'aria-label="Session"', "surprisal", "varentropy", "nats²", "<svg xmlns", "perplexity",
        "put there by a person", "ci_low", "the runner-up",
    ],
)  # fmt: skip
def test_the_outputs_are_there(expected: str, html: str) -> None:
    assert expected in html


def test_the_last_cell_says_that_the_trace_came_back_the_same(html: str) -> None:
    assert html.splitlines()[-1] == "True"


def test_what_is_saved_opens(html: str, folder: Path) -> None:
    trace = ts.Trace.from_bytes((folder / "first-look.arrow").read_bytes())
    opened = ts.session_file.read((folder / "first-look.tokenscope").read_bytes())
    assert trace.key in opened.traces
    assert len(opened.shared.session) == 2
    assert b"</html>" in (folder / "first-look.html").read_bytes()


def test_it_is_committed_without_outputs() -> None:
    # They would differ with the machine, and hide in a diff what was changed.
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
