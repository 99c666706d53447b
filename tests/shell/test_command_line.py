"""The verbs at a shell."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_models

from tokenscope_core import Sampling, Trace, hindsight, load_model
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


def test_a_saved_run_is_made_longer_and_goes_past_its_end(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short, longer, past = (str(tmp_path / f"{name}.arrow") for name in ("short", "longer", "past"))
    drawn = ["--model", folder, "--temperature", "0.9", "--stop-token", "7", "--out"]
    assert main(["generate", "def f(", "--max-new-tokens", "4", *drawn, short]) == 0
    assert main(["extend", short, "--more", "6", "--model", folder, "--out", longer]) == 0
    whole = str(tmp_path / "whole.arrow")
    assert main(["generate", "def f(", "--max-new-tokens", "10", *drawn, whole]) == 0
    found, expected = (Trace.from_bytes(Path(file).read_bytes()) for file in (longer, whole))
    assert found.key == expected.key
    assert found.token_ids.tolist() == expected.token_ids.tolist()
    end = str(found.token_ids[-1])
    arguments = ["--max-new-tokens", "20", "--model", folder, "--temperature", "0.9"]
    assert main(["generate", "def f(", *arguments, "--stop-token", end, "--out", short]) == 0
    capsys.readouterr()
    assert main(["extend", short, "--model", folder]) == 1
    assert "Fork it at its end" in capsys.readouterr().err
    assert (
        main(["extend", short, "--past-end", "--more", "2", "--model", folder, "--out", past]) == 0
    )
    ended = Trace.from_bytes(Path(short).read_bytes())
    assert Trace.from_bytes(Path(past).read_bytes()).parent == (ended.key, len(ended))


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


def test_a_long_file_is_scored_in_windows_and_its_mark_is_spoken_of(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tmp_path / "long.py"
    code.write_bytes(b"\xef\xbb\xbf" + b"x = 1\n" * 200)
    assert main(["score", f"@{code}", "--model", folder]) == 1
    assert "windows that overlap" in capsys.readouterr().err
    assert main(["score", f"@{code}", "--model", folder, "--overlap", "40", "--csv"]) == 0
    said = capsys.readouterr()
    assert "byte order mark" in said.err
    table = pd.read_csv(io.StringIO(said.out))
    assert (table["context_length"][600:] >= 40).all() and table["context_length"].max() == 511
    code.write_bytes(b"caf\xe9")
    assert main(["score", f"@{code}", "--model", folder]) == 1
    assert "0xE9" in capsys.readouterr().err


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
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("tokenscope: ")
    assert printed.err.count("\n") == 1


def test_every_way_of_sampling_can_be_asked_for(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run.arrow"
    sampling = {
        "temperature": 0.7, "top_k": 9, "top_p": 0.9, "min_p": 0.01, "typical_p": 0.95,
        "repetition_penalty": 1.1, "frequency_penalty": 0.2, "presence_penalty": -0.3,
        "no_repeat_ngram_size": 4, "seed": 12,
    }  # fmt: skip
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in sampling.items()]
    arguments = ["--max-new-tokens=3", "--stop-token=7", "--stop-token=5", *flags]
    assert main(["generate", "x", "--model", folder, "--out", str(out), *arguments]) == 0
    request = Trace.from_bytes(out.read_bytes()).request
    assert request.sampling == Sampling(**sampling)  # type: ignore[arg-type]
    assert request.stop_token_ids == (5, 7)


def test_a_run_is_as_the_models_authors_set_it(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, out = tmp_path / "set", tmp_path / "run.arrow"
    shutil.copytree(folder, own)
    (own / "generation_config.json").write_text(
        '{"do_sample": true, "temperature": 0.6, "top_p": 0.9, "num_beams": 2}'
    )
    arguments = ["generate", "x", "--model", str(own), "--max-new-tokens", "2", "--out", str(out)]
    more = ["--as-authors-set", "--top-p", "0.5", "--suppress-token", "4", "--logit-bias", "9=-2"]
    assert main([*arguments, *more]) == 0
    assert Trace.from_bytes(out.read_bytes()).request.sampling == Sampling(
        0.6, top_k=50, top_p=0.5, suppress_tokens=(4,), logit_bias=((9, -2.0),)
    )
    said = capsys.readouterr().err
    assert "Taken from the model's files: temperature 0.6" in said
    assert "Not followed: num_beams 2" in said


def test_a_conversation_is_asked_for_with_its_roles(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    chatty, out = tmp_path / "chatty", tmp_path / "run.arrow"
    shutil.copytree(folder, chatty)
    (chatty / "chat_template.jinja").write_text(template)
    said = ["--system", "Be brief.", "--user", "é?", "--max-new-tokens", "0"]
    assert main(["generate", "ok", *said, "--model", str(chatty), "--out", str(out)]) == 0
    trace = Trace.from_bytes(out.read_bytes())
    assert trace.text == "[system] Be brief.\n[user] é?\nok"


def test_the_places_worth_a_look_of_a_saved_trace(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run.arrow")
    code = "def add(a, b):\n    return a + b\nfor i in range(10):\n    print(i)\n"
    assert main(["score", code, "--model", folder, "--out", out]) == 0
    capsys.readouterr()
    asked = ["hindsight", out, "--model", folder, "--language", "python"]
    assert main([*asked, "--top", "2"]) == 0
    shown = capsys.readouterr().out
    assert "was not measured for this model" in shown
    assert main([*asked, "--top", "2", "--everywhere", "--thorough", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    trace = Trace.from_bytes(Path(out).read_bytes())
    expected = hindsight(load_model(folder), trace, "all", top=2, give_up=None).frame()
    assert found["asked"] == found["askable"] == len(trace) - 2
    alternatives = pd.DataFrame(found["alternatives"])
    assert alternatives["alternative_id"].tolist() == expected["alternative_id"].tolist()
    np.testing.assert_allclose(alternatives["log_odds"], expected["log_odds"], atol=1e-3)
    assert all(mark["log_odds"] >= 8 for mark in found["marks"])
    assert main([*asked, "--csv", "--horizon", "0"]) == 1
    assert "at least one" in capsys.readouterr().err
