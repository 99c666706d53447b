"""Freeze what this version writes, once for each release:

    PYTHONPATH=.:tests/support .venv/bin/python tests/frozen/make.py RELEASE

Writes one of each stored thing into `tests/frozen/RELEASE`, and beside each what it was made from,
as JSON. What has been released is never written again: a folder that is there is refused.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import described
import numpy as np
import tiny_models

import tokenscope_core as ts
from tokenscope_core.attention import records, summary_records
from tokenscope_core.attention.capturing.maps import Rollout, TopAttention
from tokenscope_core.jobs.analysis_records import encode_comparison, encode_influence
from tokenscope_core.record.rounding import Rounding
from tokenscope_core.sessions.traces import cut_short
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import session_file
from tokenscope_core.sharing.readings import ReadingModel

FOLDER = Path(__file__).resolve().parent
KEPT_AT = 1_764_547_200.0
ANSWERS = FOLDER.parent / "engine_answers"


def made_traces(lm: ts.LanguageModel) -> dict[str, ts.Trace]:
    """Tokens of every source, of special and half characters, with and without a distribution."""
    sampling = ts.Sampling(temperature=1.0, top_k=3, top_p=0.9, repetition_penalty=1.1, seed=2)
    request = ts.Request("def f(é):\n", 6, sampling, candidates=4, stop=("\n\n\n",))
    generated = ts.generate(lm, request)
    branch = ts.fork(lm, generated, len(generated) - 3, text="é=", max_new_tokens=3)
    in_prompt = ts.fork(lm, generated, 2, text="x", removed=2, kept=3, max_new_tokens=2)
    scored = ts.score(lm, "x = '\N{WAVING HAND SIGN}'\r\n\tpass\0")
    space = dataclasses.replace(
        scored,
        vocabulary=dataclasses.replace(scored.vocabulary, dummy_prefix=True),
        model=dataclasses.replace(scored.model, rounding=Rounding(0.0125, 0.5)),
    )
    answers = {name: (ANSWERS / f"{name}.json").read_bytes() for name in ("tgi", "vllm_halves")}
    tgi, halves = (in_float32(ts.import_answer(blob).trace) for blob in answers.values())
    return {
        "generated": generated, "branch": branch, "in-prompt": in_prompt, "scored": scored,
        "stopped": cut_short(in_prompt, len(in_prompt) - 1), "dummy-prefix": space,
        "imported": tgi, "unknown-tokens": halves,
    }  # fmt: skip


def made_session(traces: dict[str, ts.Trace]) -> ts.Session:
    """A tree with all that a person can say about it, something undone, something to redo."""
    root, branch = traces["generated"], traces["branch"]
    session = ts.Session.start(root).add(branch, parent=root).add(traces["in-prompt"], parent=root)
    session = session.rename(branch.key, "with “é=”").note(root.key, "Ein Gedanke:\n\N{CAT FACE}")
    session = session.colour(root.key, 5).add(traces["stopped"], parent=root).select(branch.key)
    return session.rename(root.key, "not this").undo()


def recipes() -> list[dict[str, Any]]:
    """Requests and edits as every record holds them."""
    chat = (ts.Message("system", "Be brief."), ts.Message("user", "é \N{CAT FACE}\r\n"))
    everything = ts.Sampling(0.5, 40, 0.9, 0.05, 1.1, 2**62, 0.95, 0.5, -0.5, 3)
    cases: list[tuple[ts.Request, ts.Edit | None]] = [
        (ts.Request(""), None),
        (ts.Request("x", 0), None),
        (ts.Request("a\0b", 9, everything, 200, ("\n\n", "</s>"), stop_token_ids=(7, 3)), None),
        (ts.Request("def f(", suffix="):\r\n"), None),
        (ts.Request("Sure", messages=chat, moment="2026-11-30T14:05"), None),
        (ts.Request("x", messages=chat, moment="2026-11-30"), ts.Edit(3)),
        (ts.Request("x"), ts.Edit.continue_from(5)),
        (ts.Request("x", 0), ts.Edit(0, (1, 2), removed=0, kept=4)),
    ]
    return [
        {"request": asked.to_json(), "edit": None if edit is None else edit.to_json()}
        for asked, edit in cases
    ]


def in_float32(trace: ts.Trace) -> ts.Trace:
    """What a file keeps of figures that were written with more digits."""
    return dataclasses.replace(
        trace,
        metrics={n: c.astype(np.float32).astype(np.float64) for n, c in trace.metrics.items()},
        candidate_logprobs=trace.candidate_logprobs.astype(np.float32).astype(np.float64),
    )


def as_stored(weights: Any) -> Any:
    """What half precision keeps of weights, as multiples of 2 ** -15."""
    return (weights * 2.0**15).astype(np.float16).astype(np.float32) / np.float32(2.0**15)


class Release:
    """A folder that fills: bytes, and what they say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, content: bytes | str, said: Any) -> None:
        blob = content if isinstance(content, bytes) else content.encode("ascii")
        (self.folder / name).write_bytes(blob)
        text = json.dumps(described.plain(said), ensure_ascii=False, separators=(",", ":"))
        (self.folder / f"{name}.says.json").write_text(text + "\n", "utf-8")


def freeze(release: Release) -> None:
    lm = tiny_models.language_model()
    traces = made_traces(lm)
    for name, trace in traces.items():
        release.put(f"trace-{name}.arrow", trace.to_bytes(), described.trace(trace))

    session = made_session(traces)
    release.put("session-with-history.json", session.to_bytes(), described.session(session))
    bare = session.without_history()
    view = {
        "page": "compare",
        "token": 3,
        "metric": "entropy",
        "both": (bare.root.key, bare.current),
    }
    choice = ts.ModelChoice(lm.identity.name, "float16")
    shared = ts.Shared(bare, view, choice)
    release.put(
        "link-to-a-session.txt", share.encode(session, view, model=choice), described.shared(shared)
    )
    with_session = [traces["generated"], traces["branch"]]
    release.put(
        "file-with-traces.zip",
        session_file.write(session, with_session, view, model=choice),
        described.file_of_session(
            session_file.SessionFile(shared, {trace.key: trace for trace in with_session})
        ),
    )
    other = dataclasses.replace(lm.identity, name="org/two", fingerprint="another")
    both = (traces["scored"], dataclasses.replace(traces["scored"], model=other))
    readings = share.encode_readings(*both, {"tint": "A"}, choices=(choice, None))
    said = described.readings(
        share.SharedReadings(
            both[0].request,
            (ReadingModel(both[0].model, choice),
             ReadingModel(other, ts.ModelChoice("org/two"))),
            {"tint": "A"},
        )
    )  # fmt: skip
    release.put("readings-of-two-models.txt", readings, said)

    written = recipes()
    said_of = described.recipes(written)
    for recipe, one in zip(written, said_of, strict=True):
        one["written"] = [recipe["request"], recipe["edit"]]
    release.put("recipes-all-fields.json", json.dumps(written), said_of)
    analyses(release, lm, traces)
    store(release, traces, session, readings)


def analyses(release: Release, lm: ts.LanguageModel, traces: dict[str, ts.Trace]) -> None:
    trace, branch = traces["generated"], traces["branch"]
    found = ts.attention(lm, trace, queries=(2, 9))
    found = dataclasses.replace(found, weights=as_stored(found.weights), masked=(0,))
    release.put("map-two-queries.bin", records.encode_map(found), described.attention(found))
    top: TopAttention = ts.top_attention(lm, trace, 3)
    top = dataclasses.replace(top, weights=as_stored(top.weights))
    release.put("top-three.bin", records.encode_top(top), described.attention(top))
    rolled = Rollout(as_stored(ts.rollout(lm, trace)), (0, 1))
    release.put("rollout.bin", records.encode_rollout(rolled), described.attention(rolled))
    overview = ts.head_overview(lm, trace)
    release.put(
        "overview.bin", summary_records.encode_overview(overview), described.overview(overview)
    )
    flow = ts.attention_flow(lm, trace, "category", language="python")
    release.put("flow.bin", summary_records.encode_flow(flow), described.flow(flow))
    influence = ts.influence(lm, trace)
    release.put("influence.bin", encode_influence(influence), described.influence(influence))
    compared = ts.compare(trace, branch, lm, threshold=described.THRESHOLD)
    release.put("comparison.bin", encode_comparison(compared), described.comparison(compared))


def store(
    release: Release, traces: dict[str, ts.Trace], session: ts.Session, readings: str
) -> None:
    """A whole store, packed: sessions with parts and owners, a trace, a capture."""
    capture = b"whatever an analysis computed"
    blob, short = session.to_bytes(), readings.encode("ascii")
    with tempfile.TemporaryDirectory() as folder:
        with patch("time.time", return_value=KEPT_AT):
            kept = ts.Store(folder)
            kept.put_session("ada/1", blob, owner="ada", parts={"share/xyz": b"a link"})
            kept.put_session("nobody's", b"{}")
            kept.put_session("readings", short, owner="ada")
            kept.put(traces["imported"])
            kept.put_capture("capture", capture)
            kept.close()
        packed = Path(folder) / "packed.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(Path(folder).rglob("*.db")):
                archive.write(file, file.relative_to(folder))
        release.put(
            "store.zip",
            packed.read_bytes(),
            {
                "sessions": [
                    ["ada/1", "ada", KEPT_AT], ["nobody's", "", KEPT_AT],
                    ["readings", "ada", KEPT_AT],
                ],
                "blobs": {"ada/1": blob, "nobody's": b"{}", "readings": short},
                "part": b"a link",
                "capture": capture,
                "trace": described.trace(traces["imported"]),
                "notices": [],
            },
        )  # fmt: skip


def main() -> None:
    """Write a release, whole or not at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", help="a name for the folder, such as the day it is released")
    folder = FOLDER / parser.parse_args().release
    if folder.exists():
        parser.error(f"{folder} is there already: what was released is never written again")
    with tempfile.TemporaryDirectory(dir=FOLDER) as made:
        freeze(Release(Path(made)))
        shutil.copytree(made, folder)
        folder.chmod(0o755)
    print(f"{len(list(folder.iterdir()))} files in {folder}")


if __name__ == "__main__":
    main()
