"""The verbs at a shell."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
import tiny_models

from tokenscope_core import Trace
from tokenscope_core.__main__ import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("tiny")
    tiny_models.model("llama").save_pretrained(root)
    tiny_models.tokenizer().save_pretrained(root)
    return str(root)


def test_generate_prints_a_row_a_token_and_saves_the_trace(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run.arrow"
    arguments = ["--model", folder, "--max-new-tokens", "5", "--csv", "--out", str(out)]
    assert main(["generate", "def f(", *arguments]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    trace = Trace.from_bytes(out.read_bytes())
    assert table["token_id"].tolist() == trace.token_ids.tolist()
    assert trace.request.max_new_tokens == 5


def test_score_reads_a_file_and_show_tabulates_it(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = tmp_path / "code.py", tmp_path / "run.arrow"
    code.write_bytes("x = 'é'\r\n".encode())
    assert main(["score", f"@{code}", "--model", folder, "--out", str(out)]) == 0
    assert Trace.from_bytes(out.read_bytes()).text == "x = 'é'\r\n"
    capsys.readouterr()
    assert main(["show", str(out)]) == 0
    assert "perplexity" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "/no/such/trace"],
        ["generate", "x", "--model", "/no/such/model"],
        ["generate", "x", "--max-new-tokens", "-1"],
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("tokenscope: ")
    assert printed.err.count("\n") == 1
