"""The command `tokenscope`: `app` opens the dashboard from anywhere."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from streamlit.web import cli

from tokenscope_ui import __main__ as command
from tokenscope_ui.launch import app_file

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What Streamlit was told, without starting it."""
    told: list[list[str]] = []
    monkeypatch.setattr(cli, "main", lambda arguments, **_: told.append(arguments))
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    return told


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tokenscope", *arguments])
    return command.main()


def test_options_reach_streamlit_and_waiting_threads_sleep(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--port", "0", "--host", "127.0.0.1", "--no-browser", "--", "--server.x", "1"]
    assert run(monkeypatch, "app", *options) == 0
    (told,) = started
    assert told[:2] == ["run", str(app_file())]
    assert " ".join(told[2:]) == (
        "--server.x 1 --server.port 0 --server.address 127.0.0.1 --server.headless true"
    )
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_without_options_streamlit_chooses_port_and_address(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "app") == 0
    assert started == [["run", str(app_file())]]


def test_a_missing_streamlit_is_said_with_what_to_install(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run(monkeypatch, "app") == 1
    said = capsys.readouterr().err
    assert "needed: streamlit, altair." in said
    assert 'pip install "tokenscope-code[app]"' in said
    assert not started


@pytest.mark.parametrize(
    "verb",
    ["", "generate", "score", "show", "compare-models", "export", "import", "share", "open",
     "kept", "app"],
)  # fmt: skip
def test_help_fits_a_terminal_of_eighty_columns(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        run(monkeypatch, *([verb] if verb else []), "--help")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("usage: tokenscope")
    assert not [line for line in lines if len(line) > 80]


def test_a_port_that_is_taken_is_refused_in_a_sentence(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(monkeypatch, "app", "--host", "127.0.0.1", "--port", str(port)) == 1
    assert f"port {port} of 127.0.0.1" in capsys.readouterr().err
    assert run(monkeypatch, "app", "--port", "99999999") == 1
    assert not started


def test_the_command_imports_neither_streamlit_nor_torch_to_say_what_it_can_do() -> None:
    program = (
        "import sys; from tokenscope_ui import __main__; sys.argv[1:] = ['app', '--help']\n"
        "try: __main__.main()\n"
        "except SystemExit: pass\n"
        "sys.exit(', '.join({'streamlit', 'torch'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()
    assert b"tokenscope app --port 8600 --no-browser" in done.stdout


def test_the_app_answers_when_started_from_another_folder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    arguments = ["app", "--no-browser", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenscope_ui", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TOKENSCOPE_STORE": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )
    try:
        assert _answer(f"http://127.0.0.1:{port}/_stcore/health") == b"ok"
    finally:
        process.terminate()
        assert process.wait(30) in (0, -15)


def _answer(url: str) -> bytes:
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            assert time.monotonic() < until, "the app did not start"
            time.sleep(0.2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "no such host.invalid", "--port", "0"], "No address of that name"),
        (["--port", "70000"], "from 0 to 65,535"),
    ],
)
def test_what_cannot_be_listened_on_is_told_apart(
    options: list[str], said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run(monkeypatch, "app", *options) == 1
    assert said in capsys.readouterr().err


def test_an_option_that_streamlit_does_not_know_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "app", "--", "--nonsense")
    assert ended.value.code == 2
    assert "--nonsense" in capsys.readouterr().err
