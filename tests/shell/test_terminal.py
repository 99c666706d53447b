"""What the shell's verbs write: JSON, exit statuses, and nothing that a terminal would obey."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_traces import made

import tokenscope_core as ts
from tokenscope_core.__main__ import main
from tokenscope_core.shell import runs
from tokenscope_core.shell.terminal import colour_depth, has_light_background, printable

EVIL = "\x1b]0;owned\x07\x9b2J\u202e"
ROOT = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def saved(tmp_path: Path) -> str:
    file = tmp_path / "run.arrow"
    file.write_bytes(made(["x", f" = {EVIL}", "\n"]).to_bytes())
    return str(file)


def test_json_has_every_figure_with_its_unit_and_null_for_what_is_missing(
    saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", saved, "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.isascii()
    value = json.loads(printed)
    assert value["units"]["surprisal"] == "nats"
    assert value["units"]["byte_start"] == "bytes"
    assert [token["surprisal"] for token in value["tokens"]] == [None, 1.0, 1.0]
    assert value["tokens"][1]["bytes"] == list(f" = {EVIL}".encode())
    assert value["totals"]["mean_surprisal"] == 1.0
    assert value["key"] == ts.Trace.from_bytes(Path(saved).read_bytes()).key


def test_json_and_csv_exclude_each_other(saved: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["show", saved, "--json", "--csv"])


@pytest.mark.parametrize(
    "arguments",
    [["show", "{}"], ["show", "{}", "--csv"], ["show", "{}", "--json"],
     ["show", "{}", "--table", "candidates"], ["export", "{}", "--to", "csv"],
     ["export", "{}", "--to", "json-lines"]],
)  # fmt: skip
def test_no_control_of_a_text_reaches_a_terminal(
    arguments: list[str], saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main([argument.format(saved) for argument in arguments]) == 0
    # But for colours, which are ours.
    written = re.sub(r"\x1b\[(?:[0-9;]*m|K)", "", terminal.getvalue())
    assert len(written) > 50
    text = re.sub(r"[\n\t]", "", written)
    assert printable(text) == text


def test_a_terminal_is_spared_what_is_no_text(
    saved: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert main(["export", saved, "--to", "parquet"]) == 1
    assert "--out" in capsys.readouterr().err


def test_an_interruption_is_130(saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(file: Path) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.Path, "read_bytes", interrupted)
    assert main(["show", saved]) == 130


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "long.arrow"
    file.write_bytes(made(["x"] * 20_000).to_bytes())
    shown = f"{sys.executable} -m tokenscope_core show {file} --csv"
    program = f"{shown} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"position,")


def test_an_encoding_without_dashes_is_no_error(saved: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tokenscope_core", "show", saved],
        capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert b"\\u2013" in done.stdout


def test_help_states_the_defaults_that_the_request_has(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["generate", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    request = ts.Request("")
    for value in (request.max_new_tokens, request.candidates, ts.Sampling().temperature):
        assert f"(default: {value})" in said


@pytest.mark.parametrize(
    "verb",
    ["generate", "score", "show", "compare-models", "export", "import", "share", "open", "kept"],
)
def test_every_verb_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    assert f"examples:\n  python -m tokenscope_core {verb} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("when", "environment", "depth"),
    [
        ("auto", {"TERM": "xterm-256color"}, "256"),
        ("auto", {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ("auto", {"TERM": "dumb", "COLORTERM": "truecolor"}, "none"),
        ("auto", {"TERM": "vt100"}, "none"),
        ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, "none"),
        ("auto", {"TERM": "xterm", "NO_COLOR": ""}, "256"),
        ("auto", {"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "3"}, "none"),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, "256"),
        ("auto", {"TERM": "xterm", "FORCE_COLOR": "0"}, "none"),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "3"}, "truecolor"),
        ("always", {"TERM": "dumb", "NO_COLOR": "1"}, "256"),
        ("never", {"TERM": "xterm", "FORCE_COLOR": "3"}, "none"),
    ],
)
def test_colours_follow_the_person_then_the_terminal(
    when: str, environment: dict[str, str], depth: str
) -> None:
    assert colour_depth(when, Terminal(), environment) == depth  # type: ignore[arg-type]


def test_a_pipe_gets_colours_only_when_told_to() -> None:
    able = {"TERM": "xterm-256color"}
    assert colour_depth("auto", io.StringIO(), able) == "none"
    assert colour_depth("auto", io.StringIO(), able | {"FORCE_COLOR": "1"}) == "256"
    assert colour_depth("always", io.StringIO(), able) == "256"


def test_a_terminal_that_says_so_has_a_light_background() -> None:
    assert has_light_background({"COLORFGBG": "0;15"})
    assert not has_light_background({"COLORFGBG": "15;default;0"})
    assert not has_light_background({})


def test_tokens_are_tinted_where_there_are_colours(
    saved: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert main(["show", saved, "--table", "text"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main(["show", saved, "--table", "text", "--tint", "entropy", "--color", "always"]) == 0
    assert "entropy 0 " in re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    monkeypatch.setenv("FORCE_COLOR", "3")
    assert main(["show", saved]) == 0
    shown = capsys.readouterr().out
    assert "\x1b[48;2;" in shown
    assert "⟨ESC⟩]0;owned" in shown


def test_a_tint_that_is_no_metric_is_a_usage_error(saved: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["show", saved, "--tint", "loveliness"])


def test_the_table_and_the_json_of_a_trace_say_one_perplexity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = made(["a", "b", "c", "d"], prompt_length=3)
    trace.metrics["logprob"].flags.writeable = True
    trace.metrics["logprob"][3] = -3.0
    file = tmp_path / "run.arrow"
    file.write_bytes(trace.to_bytes())
    assert main(["show", str(file), "--json"]) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert main(["show", str(file)]) == 0
    printed = capsys.readouterr().out
    assert f"perplexity {totals['perplexity']:.3f} over the generated tokens" in printed
    assert totals["perplexity"] == pytest.approx(np.exp(3.0))
    assert "<NA>" not in printed


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_a_form_that_the_tinted_text_has_not_is_refused(
    saved: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", saved, "--table", "text", form]) == 1
    assert "only the tables" in capsys.readouterr().err


def test_a_branch_that_a_single_trace_is_not_is_refused(
    saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", saved, "--to", "report", "--branch", "zzz"]) == 1
    assert "holds one trace" in capsys.readouterr().err
