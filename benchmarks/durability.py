"""What the store still holds after its writers were killed, after many wrote at once, and after a
bit of its file of sessions flipped.

    python -m benchmarks.durability                  # 100 kills, 6 processes, 200 flips
    python -m benchmarks.durability --kills 5

A writer puts sessions and traces into a store and says so, after each, on its standard output. It
is killed (SIGKILL) at a random moment. Then every write that was said to be done has to be there,
whole, and the store has to open and to take new ones.

A flipped bit may cost a record, but not silently: what is read is as it was written, or an error
says that it is damaged, or a notice of the store that the file was.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokenscope_core import ModelIdentity, RecordError, Request, Store, Trace
from tokenscope_core.record.arrays import NOT_DRAWN
from tokenscope_core.record.metric_registry import STORED
from tokenscope_core.record.steps import Rows
from tokenscope_core.record.vocabulary import Vocabulary

_LONGEST_S = 0.4
_TOKENS, _CANDIDATES, _VOCABULARY = 300, 20, 5000


@dataclass(frozen=True, slots=True)
class Tally:
    """How many writes were acknowledged, and how many of these were found lost or changed."""

    acknowledged: int
    lost: int


@dataclass(frozen=True, slots=True)
class Flips:
    """What single flipped bits did: in how many stores all sessions were read as they were, in how
    many one was said to be damaged, in how many the file was set aside, with how many sessions lost
    of all of theirs; and in how many something was wrong without a word."""

    flips: int
    whole: int
    said: int
    set_aside: int
    lost: int
    of: int
    silent: int


def write(folder: Path, writer: str, count: int) -> None:
    """Write sessions with what belongs to them, and traces, saying the name of each once kept."""
    store = Store(folder)
    for number in range(count):
        name = f"{writer}-{number}"
        store.put_session(name, session_bytes(name), parts={_part(name): session_bytes(name)[:500]})
        print("session", name, flush=True)
        if number % 4 == 0:
            print("trace", store.put(random_trace(number)), flush=True)
    store.close()


def _part(name: str) -> str:
    return f"part/{name}"


def session_bytes(name: str) -> bytes:
    """What a session of that name holds: from a few bytes to more than fit into the database."""
    digest = hashlib.sha256(name.encode()).digest()
    return digest * (1 + digest[0] * 8)


def random_trace(seed: int) -> Trace:
    """A trace as large as those of real runs, of noise."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(_TOKENS, _CANDIDATES))
    rows = Rows(
        start=0,
        token_ids=draw.integers(0, _VOCABULARY, _TOKENS),
        source="prompt",
        metrics={name: -np.abs(noise[:, 0]) for name in STORED} | {"rank": np.ones(_TOKENS)},
        candidate_ids=draw.integers(0, _VOCABULARY, noise.shape),
        candidate_logprobs=-np.abs(noise),
        candidate_kept=np.full(noise.shape, NOT_DRAWN, dtype=np.int8),
    )
    vocabulary = Vocabulary({i: f"{i} ".encode() for i in range(_VOCABULARY)})
    model = ModelIdentity("noise", "fingerprint", _VOCABULARY)
    request = Request(f"seed {seed}", max_new_tokens=0)
    return Trace.from_rows(request, model, vocabulary, [rows], "length")


def check(folder: Path, lines: Iterable[str]) -> Tally:
    """Compare what was said to be written with what is there."""
    store = Store(folder)
    acknowledged = lost = 0
    for line in lines:
        kind, _, name = line.strip().partition(" ")
        acknowledged += 1
        if kind == "session":
            whole = store.get_session(name) == session_bytes(name)
            lost += not whole or store.get_session(_part(name)) != session_bytes(name)[:500]
        else:
            trace = store.get(name)
            lost += trace is None or trace.key != name
    store.close()
    return Tally(acknowledged, lost)


def kill(folder: Path, times: int, seed: int = 0) -> Tally:
    """Kill a writer again and again, in the middle of whatever it does."""
    draw = random.Random(seed)
    acknowledged: list[str] = []
    lost = 0
    for number in range(times):
        said: list[str] = []
        process = _writer(folder, f"killed-{seed}-{number}", 10**6)
        assert process.stdout is not None
        said.append(process.stdout.readline())
        rest = threading.Thread(target=said.extend, args=(process.stdout,))
        rest.start()
        time.sleep(draw.uniform(0.0, _LONGEST_S))
        process.kill()
        process.wait()
        rest.join()
        whole = [line for line in said if line.endswith("\n")]
        lost += check(folder, whole).lost
        acknowledged += whole
    # What an earlier writer was told is kept has outlived the later kills too.
    after_all = check(folder, acknowledged)
    return Tally(after_all.acknowledged, max(lost, after_all.lost))


def together(folder: Path, processes: int, count: int) -> Tally:
    """Let several processes write into one folder at the same time."""
    writers = [_writer(folder, f"writer-{number}", count) for number in range(processes)]
    lines: list[str] = []
    for process in writers:
        out, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"a writer ended with code {process.returncode}")
        lines += out.splitlines()
    return check(folder, lines)


_FLIPPED_SESSIONS = 40


def flip(folder: Path, times: int, seed: int = 0) -> Flips:
    """Flip one bit of the file of sessions, look at what opens, and begin again."""
    draw = random.Random(seed)
    names = [f"session-{number}" for number in range(_FLIPPED_SESSIONS)]
    with closing(Store(folder / "sound")) as store:
        for name in names:
            store.put_session(name, session_bytes(name), owner="somebody")
    outcomes = [_flipped(folder, names, draw) for _ in range(times)]
    lost = [number for outcome, number in outcomes if outcome == "set aside"]
    count = Counter(outcome for outcome, _ in outcomes)
    return Flips(
        times,
        count["whole"],
        count["said"],
        count["set aside"],
        sum(lost),
        len(lost) * len(names),
        count["silent"],
    )


def _flipped(folder: Path, names: Sequence[str], draw: random.Random) -> tuple[str, int]:
    """What one flip did, and how many sessions are not there any more."""
    here = folder / "flipped"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(folder / "sound", here)
    database = here / "sessions" / "cache.db"
    blob = bytearray(database.read_bytes())
    bit = draw.randrange(8 * len(blob))
    blob[bit // 8] ^= 1 << bit % 8
    database.write_bytes(blob)
    lost = said = 0
    with closing(Store(here)) as store:
        for name in names:
            try:
                found = store.get_session(name)
            except RecordError:
                said += 1
                continue
            if found is not None and found != session_bytes(name):
                return "silent", 1
            lost += found is None
        store.put_session("new", b"new")
        # Setting aside may come with the first use, not only with opening.
        if store.notices:
            return "set aside", lost
    return ("silent" if lost else "said" if said else "whole"), lost


def _writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.durability", "--write", name, str(count)]
    return subprocess.Popen([*command, "--folder", str(folder)], stdout=subprocess.PIPE, text=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all and print the figures; the exit code is 1 where a write or a word was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", nargs=2, metavar=("NAME", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.write:
        write(options.folder, options.write[0], int(options.write[1]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        killed = kill(Path(folder), options.kills)
    print(f"{options.kills} kills: {killed.acknowledged:,} writes acknowledged, {killed.lost} lost")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        shared = together(Path(folder), options.processes, 200)
        seconds = time.perf_counter() - began
    print(
        f"{options.processes} processes at once: {shared.acknowledged:,} writes in {seconds:.1f} s,"
        f" {shared.lost} lost"
    )
    # Every flip is an error in the log, as it has to be.
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        flips = flip(Path(folder), options.flips)
    print(
        f"{flips.flips} flipped bits: {flips.whole} harmless, {flips.said} said of the session, "
        f"{flips.set_aside} set the file aside ({flips.lost} of {flips.of:,} sessions in it lost), "
        f"{flips.silent} silent"
    )
    return int(killed.lost + shared.lost + flips.silent > 0)


if __name__ == "__main__":
    sys.exit(main())
