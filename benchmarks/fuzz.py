"""Damaged links, files, models and chat templates are opened by the thousand; none may crash.

    python -m benchmarks.fuzz --count 10000
    python -m benchmarks.fuzz --only configs

`count` is a number of inputs for each kind, a tenth of it for models (`configs`). Half of them are
changed as bytes; in the other half the content is changed and packed again soundly, so that it gets
past check sums. A crash is any error that is no `TokenScopeError`, and a refusal in Python's own
words or that no page can show; with its seed it can be had again.
"""

from __future__ import annotations

import argparse
import ast
import base64
import json
import math
import os
import re
import resource
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pyarrow as pa

import tokenscope_core as ts
from benchmarks import made_models, made_templates
from benchmarks.mutations import archive_mutated, bytes_mutated, json_mutated
from tokenscope_core import export
from tokenscope_core.record import arrow_files
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import session_file

# Of what Python and its libraries say where a value is not as they expect it.
_PYTHON_SAYS = re.compile(
    r"codec can't|recursion|Exceeds the limit|has no attribute|indices must be|not supported betw"
    r"|unsupported operand|NoneType|unhashable|not subscriptable|not iterable|invalid literal"
    r"|could not convert|expected (str|int|bytes)|(positional|keyword) argument|0x[0-9a-f]{6}"
)
_LONGEST_REFUSAL = 800
_ANSWERS = Path(__file__).resolve().parent.parent / "tests" / "engine_answers"
_WHOLE = (-1, 0, 1, 5, 2**31 - 1, -(2**31))
_REAL = (None, 0.0, -0.0, 1.0, 1.5, -3.0, 1e30, math.inf, -math.inf, math.nan)


@dataclass
class Tally:
    """What became of the inputs of one kind; a crash is its seed and what was raised."""

    kind: str
    opened: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    crashes: list[tuple[int, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kind:42} {self.opened + self.refused + len(self.crashes):8,} inputs "
            f"{self.refused:8,} refused {self.opened:7,} opened {len(self.crashes):3} crashed, "
            f"slowest {1000 * self.slowest_s:.0f} ms"
        )


@dataclass(frozen=True)
class Kind:
    """Something that is opened: a sound one, how its content is changed, what opens it, and how its
    bytes are damaged. Where opening takes long, one in `every` is tried."""

    name: str
    sound: bytes
    changed: Callable[[bytes, Random], bytes]
    open: Callable[[bytes], object]
    damaged: Callable[[bytes, Random], bytes] = bytes_mutated
    every: int = 1


def kinds() -> Iterator[Kind]:
    """Everything that comes from outside."""
    session, traces = _sample()
    view: dict[str, share.View] = {"page": "branches", "token": 3, "other": session.root.key}
    yield Kind(
        "links",
        share.encode(session, view).encode("ascii"),
        _link_mutated,
        _open_link,
    )
    scored = replace(traces[0], request=replace(traces[0].request, max_new_tokens=0))
    yield Kind(
        "links to readings",
        share.encode_readings(scored, scored, {"tint": "A"}).encode("ascii"),
        _link_mutated,
        _open_readings,
    )
    yield Kind(
        "session files",
        session_file.write(session, traces, view),
        lambda blob, random: archive_mutated(blob, random, bytes_mutated),
        _open_file,
    )
    yield Kind("traces", traces[0].to_bytes(), _trace_mutated, _open_trace)
    yield Kind("session records", session.to_bytes(), json_mutated, _open_record)
    chat = json.dumps(export.openai_chat(traces[0])).encode("ascii")
    yield Kind("chat answers", chat, json_mutated, _open_answer)
    legacy = json.dumps(export.openai_completion(traces[0])).encode("ascii")
    yield Kind("legacy answers", legacy, json_mutated, _open_answer)
    for file in sorted(_ANSWERS.glob("*.*[!d]")):
        yield Kind(
            f"engines' answers: {file.stem}", file.read_bytes(), _chunks_mutated, _open_answer
        )
    sound = made_templates.SOUND.encode("ascii")
    yield Kind("templates", sound, made_templates.template, made_templates.laid_out)
    yield Kind(
        "configs", made_models.sound(), made_models.changed, made_models.opened,
        made_models.damaged, every=10,
    )  # fmt: skip


def run(kind: Kind, count: int, seed: int = 0) -> Tally:
    """Open that many mutations of one kind."""
    tally = Tally(kind.name)
    for number in range(seed, seed + count):
        random = Random(number)
        change = kind.damaged if random.random() < 0.5 else kind.changed
        blob = change(kind.sound, random)
        start = time.perf_counter()
        try:
            kind.open(blob)
            tally.opened += 1
        except ts.TokenScopeError as refusal:
            tally.refused += 1
            if problem := _problem_of(str(refusal)):
                tally.crashes.append((number, problem))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a library in Rust that panics raises no Exception
            tally.crashes.append((number, repr(error)[:200]))
        tally.slowest_s = max(tally.slowest_s, time.perf_counter() - start)
    return tally


def _problem_of(sentence: str) -> str:
    """What is wrong with how something was refused; empty where nothing is."""
    try:
        sentence.encode("utf-8")
    except UnicodeEncodeError as error:
        return repr(error)[:200]
    if len(sentence) > _LONGEST_REFUSAL:
        return f"refused with {len(sentence):,} characters: {sentence[:100]}"
    return f"refused in Python's words: {sentence[:200]}" if _PYTHON_SAYS.search(sentence) else ""


def _sample() -> tuple[ts.Session, list[ts.Trace]]:
    """A small tree, made without a model."""
    words = ("def", " f", "(", "é", "😀", "\r\n", "x")
    top = [{"token": word, "logprob": -1.0 - i} for i, word in enumerate(words)]
    content = [{"token": word, "logprob": -1.5, "top_logprobs": top} for word in words]
    imported = ts.import_openai_logprobs({"content": content})
    root = replace(
        imported, request=ts.Request("def é😀", 7, ts.Sampling(0.7, seed=3), stop=("x",))
    )
    child = replace(root, branch=(root.key, ts.Edit(2, (4, 5), removed=1, kept=1)))
    stopped = replace(
        child, finish_reason="cancelled", branch=(child.key, ts.Edit.continue_from(1))
    )
    session = ts.Session.start(root).add(child, stopped, parent=root)
    return session.note(child.key, "a note\n“é”"), [root, child, stopped]


def _open_link(blob: bytes) -> None:
    shared = share.decode(blob.decode("utf-8", errors="replace"))
    share.encode(shared.session, shared.view, model=shared.model)
    _use(shared.session)


def _open_readings(blob: bytes) -> None:
    shared = share.decode_readings(blob.decode("utf-8", errors="replace"))
    _ = shared.keys


def _open_file(blob: bytes) -> None:
    opened = session_file.read(blob)
    assert not any(map(_problem_of, opened.problems)), opened.problems
    session_file.write(opened.shared.session, opened.traces.values(), opened.shared.view)


def _open_record(blob: bytes) -> None:
    _use(ts.Session.from_bytes(blob))


def _use(session: ts.Session) -> None:
    """What a page shows of a tree, and what is made of one, without its traces."""
    ts.tree_frame(session, {})
    export.report(session)
    ast.parse(export.replay_script(session))


def _open_trace(blob: bytes) -> None:
    """Opened, and then used as a page or a person would."""
    trace = ts.Trace.from_bytes(blob)
    ts.token_frame(trace)
    ts.candidate_frame(trace)
    export.json_lines(trace)
    export.report(trace)


def _open_answer(blob: bytes) -> None:
    found = ts.import_answer(blob)
    assert not any(map(_problem_of, found.notes)), found.notes
    _open_trace(found.trace.to_bytes())


def _chunks_mutated(blob: bytes, random: Random) -> bytes:
    """An engine's answer with its values changed; of a stream one chunk, lost, doubled or moved at
    times."""
    chunks = blob.splitlines()
    places = [i for i, chunk in enumerate(chunks) if b"{" in chunk]
    place = random.choice(places)
    head, brace, rest = chunks[place].partition(b"{")
    match random.randrange(6) if len(places) > 1 else 5:
        case 0:
            del chunks[place]
        case 1:
            chunks.insert(place, chunks[place])
        case 2:
            random.shuffle(chunks)
        case _ if head.startswith(b"data"):
            chunks[place] = head + json_mutated(brace + rest, random)
        case _:
            chunks[place] = json_mutated(chunks[place], random)
    return b"\n".join(chunks) + b"\n\n"


def _link_mutated(blob: bytes, random: Random) -> bytes:
    version, _, body = blob.partition(b".")
    values = zlib.decompress(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
    change = json_mutated if random.random() < 0.8 else bytes_mutated
    packed = zlib.compress(change(values, random), 1)
    return version + b"." + base64.urlsafe_b64encode(packed).rstrip(b"=")


def _trace_mutated(blob: bytes, random: Random) -> bytes:
    """With another description or other columns, under a check sum that is right."""
    batch = arrow_files.read_batch(blob)
    described = batch.schema.metadata[b"tokenscope"]
    if random.random() < 0.5:
        described = json_mutated(described, random)
    else:
        batch = _batch_mutated(batch, random)
    checksum = arrow_files.checksum(arrow_files.write(batch), described)
    metadata = {b"tokenscope": described, b"tokenscope.sha256": checksum}
    return arrow_files.write(batch.replace_schema_metadata(metadata))


def _batch_mutated(batch: pa.RecordBatch, random: Random) -> pa.RecordBatch:
    place = random.randrange(batch.num_columns)
    name, column = batch.schema.names[place], batch.column(place)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    match random.randrange(5):
        case 0:
            return batch.slice(random.randrange(len(batch)), random.randrange(len(batch)))
        case 1:
            del columns[name]
        case 2:
            columns[name] = pa.nulls(len(batch), column.type)
        case 3:
            order = [random.randrange(len(batch)) for _ in range(len(batch))]
            columns[name] = column.take(pa.array(order))
        case _ if pa.types.is_integer(column.type):
            columns[name] = pa.array(random.choices(_WHOLE, k=len(batch)), column.type)
        case _:
            columns[name] = pa.array(random.choices(_REAL, k=len(batch)), pa.float32())
    return pa.record_batch(list(columns.values()), names=list(columns))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="kinds whose name begins so")
    options = parser.parse_args()
    crashed = 0
    for kind in kinds():
        if not kind.name.startswith(options.only or ""):
            continue
        start = time.perf_counter()
        tally = run(kind, max(1, options.count // kind.every), options.seed)
        print(f"{tally}, {time.perf_counter() - start:.0f} s", flush=True)
        for seed, error in tally.crashes[:5]:
            print(f"  seed {seed}: {error}")
        crashed += len(tally.crashes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{crashed} crashes; at most {peak:.0f} MB of memory ({os.name}, {sys.platform})")
    return int(crashed > 0)


if __name__ == "__main__":
    sys.exit(main())
