"""The script computes a session again and says whether it is the same."""

from __future__ import annotations

import ast
import hashlib
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import forked, made

import tokenscope_core as ts
from tokenscope_core import export

ROOT = Path(__file__).resolve().parents[2]
NASTY = "x\"\"\"\n'''\r\n\\N{DIGIT ONE}{KEY}\u2028\u202e😀\x00%s'; import os; os.abort()\n#"


@pytest.fixture(scope="module")
def session() -> tuple[ts.Session, dict[str, ts.Trace]]:
    lm = ts.load_model()
    root = ts.generate(
        lm, ts.Request(f"# {NASTY}\ndef f(", 8, ts.Sampling(0.9, seed=4), stop=(")",))
    )
    fork = ts.fork(lm, root, root.prompt_length + 1, text="a, b", seed=9, max_new_tokens=6)
    kept = ts.fork(lm, fork, 3, text="z", kept=5, max_new_tokens=4)
    stopped = ts.cut_short(kept, len(kept) - 2)
    redrawn = ts.fork(lm, root, root.prompt_length + 1, seed=12, max_new_tokens=3)
    grown = ts.Session.start(root).add(fork, kept, stopped, redrawn, parent=root)
    for trace in (root, fork, kept):
        grown = grown.rename(trace.key, f"{NASTY} {trace.key[:3]}")
    return grown, {trace.key: trace for trace in (root, fork, kept, stopped, redrawn)}


def run(
    script: str, folder: Path, *, within: Path, isolated: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it where it lies, from another folder; isolated, nothing installed is found."""
    file = folder / "replay.py"
    file.write_bytes(script.encode("utf-8"))
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *(["-S"] if isolated else []), str(file)], cwd=within,
        env=plain | {"PYTHONIOENCODING": "utf-8"} | environment, capture_output=True,
        encoding="utf-8", timeout=120,
    )  # fmt: skip


def test_every_branch_is_computed_again_from_wherever_the_script_lies(
    session: tuple[ts.Session, dict[str, ts.Trace]], tmp_path: Path
) -> None:
    tree, traces = session
    done = run(export.replay_script(tree, traces=traces.values()), tmp_path, within=ROOT / "docs")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*traces[tree.current].text.splitlines()]
    for key in traces:
        assert f"The same trace: {key}" in done.stderr


def test_a_script_that_does_not_find_the_program_says_how_to_name_its_folder(
    tmp_path: Path,
) -> None:
    script = export.replay_script(made(["x"]))
    lost = run(script, tmp_path, within=tmp_path, isolated=True, TOKENSCOPE_FOLDER=str(tmp_path))
    assert lost.returncode == 1
    assert "set TOKENSCOPE_FOLDER" in lost.stderr
    assert "Traceback" not in lost.stderr
    found = run(script, tmp_path, within=tmp_path, TOKENSCOPE_FOLDER=str(ROOT))
    assert "made by hand" in found.stderr


def test_the_script_of_one_branch_holds_it_and_those_it_grew_on(
    session: tuple[ts.Session, dict[str, ts.Trace]],
) -> None:
    tree, _ = session
    for branch in tree.branches:
        script = export.replay_script(tree, branch.key)
        held = [other.key for other in tree.branches if f"traces['{other.key}'] =" in script]
        assert held == list(tree.path_to(branch.key))


def in_this_process(script: str, folder: Path) -> str | int | None:
    """How the script ends: what `sys.exit` was given; None where it ran through."""
    file = folder / "replay.py"
    file.write_bytes(script.encode("utf-8"))
    try:
        runpy.run_path(str(file), run_name="__main__")
    except SystemExit as end:
        return end.code
    return None


def test_a_script_of_a_single_run_needs_no_session(
    session: tuple[ts.Session, dict[str, ts.Trace]], tmp_path: Path
) -> None:
    root = next(iter(session[1].values()))
    script = export.replay_script(root, model=ts.ModelChoice("tokenscope-py", "float32", "cpu"))
    assert in_this_process(script, tmp_path) is None


def test_a_tampered_key_ends_the_program_with_a_sentence(
    session: tuple[ts.Session, dict[str, ts.Trace]], tmp_path: Path
) -> None:
    root = next(iter(session[1].values()))
    script = export.replay_script(root).replace(root.key, "0" * 64)
    assert "which is not" in str(in_this_process(script, tmp_path))


def test_what_does_not_come_out_the_same_is_said(
    session: tuple[ts.Session, dict[str, ts.Trace]], tmp_path: Path
) -> None:
    root = next(iter(session[1].values()))
    script = export.replay_script(root)
    for value, said in (
        (root.model.fingerprint, "is not the one"),
        (hashlib.sha256(repr(root.token_ids.tolist()).encode()).hexdigest(), "other tokens"),
    ):
        assert value in script
        assert said in str(in_this_process(script.replace(value, "0" * 64), tmp_path))


def test_a_model_that_is_not_here_is_said(tmp_path: Path) -> None:
    assert "made by hand" in str(in_this_process(export.replay_script(made(["x"])), tmp_path))


@given(st.text(), st.text(min_size=1, max_size=200).filter(str.strip))
def test_texts_stay_texts(prompt: str, name: str) -> None:
    messages = (ts.Message("user", prompt), ts.Message("assistant", name))
    root = made(["x"], request=ts.Request(prompt, 3, messages=messages, stop=(name,)))
    tree = ts.Session.start(root)
    script = export.replay_script(tree.rename(root.key, name[:200]))
    (call,) = [
        node for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ts.Request"
    ]  # fmt: skip
    assert eval(ast.unparse(call), {"ts": ts}) == root.request
    plain = export.replay_script(made(["x"], request=ts.Request("p", 3)))
    assert len(ast.parse(script).body) == len(ast.parse(plain).body)


def test_a_branch_alone_asks_for_its_session() -> None:
    root = made(["a", "b"])
    child = forked(root, 1, ["c"])
    with pytest.raises(ts.RequestError, match="Give the session"):
        export.replay_script(child)
    with pytest.raises(ts.RequestError, match="none of its branches"):
        export.replay_script(ts.Session.start(root), traces=[child])
