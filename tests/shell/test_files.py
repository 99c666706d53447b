"""Exporting, importing and sharing at a shell."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from made_traces import forked, made

import tokenscope_core as ts
from tokenscope_core.__main__ import main
from tokenscope_core.sharing import session_file
from tokenscope_core.shell.files import FORMATS

ROOT = made(["if", " x", ":", "\n"], prompt_length=2)
CHILD = forked(ROOT, 2, [" and"], [" y"])
TREE = ts.Session.start(ROOT).add(CHILD, parent=ROOT)


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENSCOPE_STORE", str(tmp_path / "store"))


@pytest.fixture
def tree(tmp_path: Path) -> str:
    file = tmp_path / "tree.zip"
    file.write_bytes(session_file.write(TREE, [ROOT, CHILD]))
    return str(file)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_session_file_is_exported_in_every_format(kind: str, tree: str, tmp_path: Path) -> None:
    out = tmp_path / "exported"
    assert main(["export", tree, "--to", kind, "--out", str(out)]) == 0
    assert out.stat().st_size > 100


@pytest.mark.parametrize("kind", ["csv", "report", "parquet"])
def test_a_branch_by_itself_is_exported(kind: str, tmp_path: Path) -> None:
    file, out = tmp_path / "branch.arrow", tmp_path / "exported"
    file.write_bytes(CHILD.to_bytes())
    assert main(["export", str(file), "--to", kind, "--out", str(out)]) == 0
    assert out.stat().st_size > 100


def test_a_branch_is_chosen_by_the_beginning_of_its_key(
    tree: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["export", tree, "--to", "csv", "--branch", ROOT.key[:8]]) == 0
    table = pd.read_csv(io.BytesIO(capfdbinary.readouterr().out))
    assert table["token"].tolist() == ["if", " x", ":", "\n"]
    assert main(["export", tree, "--to", "csv", "--branch", "zz"]) == 1


def test_an_answer_with_logprobs_is_imported_as_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, out = tmp_path / "answer.json", tmp_path / "trace.arrow"
    token = {"token": "é", "logprob": -0.5, "bytes": [0xC3, 0xA9], "top_logprobs": []}
    answer.write_text(json.dumps({"choices": [{"logprobs": {"content": [token]}}]}))
    assert main(["import", str(answer), "--out", str(out)]) == 0
    assert "perplexity" in capsys.readouterr().out
    assert ts.Trace.from_bytes(out.read_bytes()).text == "é"


def test_a_shared_tree_is_opened_elsewhere_and_saved(
    tree: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["share", tree]) == 0
    payload = capsys.readouterr().out.strip()
    assert ts.share.decode(payload).session == TREE.without_history()
    out = tmp_path / "opened.zip"
    assert main(["open", payload, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 of 2 traces are not here" in said
    assert "absent" in said
    assert session_file.read(out.read_bytes()).shared.session == TREE.without_history()
    assert main(["open", payload, "--compute"]) == 1
    assert "exactly as it was" in capsys.readouterr().err


def test_the_traces_of_a_link_are_computed_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lm = ts.load_model()
    root = ts.generate(lm, ts.Request("def f(", 4))
    child = ts.fork(lm, root, root.prompt_length, text="x", max_new_tokens=2)
    payload = ts.share.encode(ts.Session.start(root).add(child, parent=root))
    out = tmp_path / "computed.zip"
    assert main(["open", payload, "--compute", "--out", str(out)]) == 0
    assert "not here" not in capsys.readouterr().out
    opened = session_file.read(out.read_bytes())
    assert opened.traces[child.key].token_ids.tolist() == child.token_ids.tolist()
    assert main(["open", str(out)]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["open", "ts1.nonsense"],
        ["open", "/no/such/file.zip"],
        ["share", "/no/such/file"],
        ["export", "/no/such/file", "--to", "csv"],
        ["import", __file__],
    ],
)
def test_what_cannot_be_opened_is_said_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("tokenscope: ")
    assert printed.err.count("\n") == 1


def test_a_terminal_obeys_nothing_that_a_file_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    session = ts.Session.start(ROOT).rename(ROOT.key, f"x{evil}")
    file = tmp_path / "evil.tokenscope"
    file.write_bytes(ts.session_file.write(session))
    main(["open", str(file)])
    main(["export", str(file), "--to", "csv"])
    printed = capsys.readouterr()
    assert "x\\x1b]0;owned" in printed.out
    assert "“x\\x1b]0;owned" in printed.err
    assert not {"\x1b", "\x07", "\u202e"} & set(printed.out + printed.err)
