"""What a stored thing holds, as JSON: written down when its bytes are frozen, compared ever after.

`OPENED` maps a kind of file to how today's program opens it and what it finds there. When bytes
are frozen, the same is said of the values that they were made from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import tokenscope_core as ts
from tokenscope_core.attention import records, summary_records
from tokenscope_core.comparison.comparison import Comparison
from tokenscope_core.jobs.analysis_records import decode_comparison, decode_influence
from tokenscope_core.record.trace import recipe_key
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import session_file

FOLDER = Path(__file__).parent
THRESHOLD = 0.05


def plain(value: Any) -> Any:
    """Arrays with type and shape, mappings, sequences and numbers as JSON; null for NaN."""
    if isinstance(value, np.ndarray):
        flat = [plain(one) for one in value.ravel().tolist()]
        kind = "str" if value.dtype.kind == "U" else value.dtype.name
        return {"dtype": kind, "shape": list(value.shape), "values": flat}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(one) for one in value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def attributes(value: Any, *names: str) -> dict[str, Any]:
    return {name: plain(getattr(value, name)) for name in names}


def request(asked: ts.Request) -> dict[str, Any]:
    """Every field by name, so that it shows where a default comes to mean something else."""
    found = attributes(
        asked, "prompt", "max_new_tokens", "candidates", "stop", "suffix", "stop_token_ids",
        "moment",
    )  # fmt: skip
    found["messages"] = [[turn.role, turn.content] for turn in asked.messages]
    found["sampling"] = attributes(
        asked.sampling, "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed",
        "typical_p", "frequency_penalty", "presence_penalty", "no_repeat_ngram_size",
    )  # fmt: skip
    return found


def edit(made: ts.Edit) -> dict[str, Any]:
    return attributes(made, "position", "token_ids", "removed", "kept")


def model(identity: ts.ModelIdentity) -> dict[str, Any]:
    return attributes(identity, "name", "fingerprint", "vocabulary_size")


def trace(found: ts.Trace) -> dict[str, Any]:
    rounding = found.model.rounding
    return {
        "key": found.key,
        "request": request(found.request),
        "model": model(found.model),
        "rounding": None if rounding is None else [rounding.mean, rounding.most],
        "vocabulary": attributes(
            found.vocabulary, "token_bytes", "special_ids", "dummy_prefix", "unknown_ids"
        ),
        "branch": None if found.branch is None else [found.branch[0], edit(found.branch[1])],
        **attributes(
            found, "prompt_length", "finish_reason", "text_bytes", "token_ids", "source", "special",
            "byte_start", "byte_end", "candidate_ids", "candidate_logprobs", "candidate_kept",
        ),
        "metrics": plain(found.metrics),
    }  # fmt: skip


def session(found: ts.Session) -> dict[str, Any]:
    states = (*found.past, found, *found.future)
    return {
        "model": model(found.model),
        "now": len(found.past),
        "states": [
            {"current": state.current, "branches": [_branch(one) for one in state.branches]}
            for state in states
        ],
    }


def _branch(one: Any) -> dict[str, Any]:
    return {
        **attributes(one, "key", "name", "parent", "colour", "note", "stopped_after"),
        "request": request(one.request),
        "edit": None if one.edit is None else edit(one.edit),
    }


def shared(found: ts.Shared) -> dict[str, Any]:
    return {
        "session": session(found.session),
        "view": plain(found.view),
        "choice": attributes(found.model, "name", "dtype"),
    }


def readings(found: share.SharedReadings) -> dict[str, Any]:
    return {
        "keys": list(found.keys),
        "request": request(found.request),
        "models": [model(one.model) for one in found.readers],
        "choices": [attributes(one.choice, "name", "dtype") for one in found.readers],
        "view": plain(found.view),
    }


def file_of_session(found: session_file.SessionFile) -> dict[str, Any]:
    return {
        "shared": shared(found.shared),
        "traces": {key: trace(one) for key, one in sorted(found.traces.items())},
        "problems": list(found.problems),
    }


def attention(found: Any) -> dict[str, Any]:
    names = ("keys", "weights", "layers", "heads", "queries", "fold", "weighting", "masked",
             "first_keys")  # fmt: skip
    return attributes(found, *(name for name in names if hasattr(found, name)))


def overview(found: Any) -> dict[str, Any]:
    return attributes(
        found, "layers", "heads", "tokens", "statistics", "uniform", "row_counts", "thumbnails",
        "masked", "rows", "language",
    ) | {"sinks": attributes(found.sinks, "positions", "share_of_heads", "mass")}  # fmt: skip


def flow(found: Any) -> dict[str, Any]:
    return attributes(
        found, "by", "parts", "mean", "uniform", "query_tokens", "key_tokens", "layers", "heads",
        "masked", "rows", "language",
    )  # fmt: skip


def influence(found: Any) -> dict[str, Any]:
    return attributes(found, "total", "mean", "runner_up")


def comparison(found: Comparison) -> dict[str, Any]:
    return attributes(found, "kl_ab", "kl_ba", "jsd", "measured", "divergence", "rejoin")


def recipes(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of recipes as they are written into every record: what they say, and their keys."""
    said = []
    for recipe in found:
        asked = ts.Request.from_json(recipe["request"])
        made = None if recipe["edit"] is None else ts.Edit.from_json(recipe["edit"])
        said.append(
            {
                "request": request(asked),
                "edit": None if made is None else edit(made),
                "key": recipe_key("f" * 64, asked, branch=made and ("0" * 64, made)),
                "written": [asked.to_json(), made and made.to_json()],
            }
        )
    return said


def of_store(opened: ts.Store) -> dict[str, Any]:
    sessions = opened.sessions()
    return {
        "sessions": [[one.name, one.owner, one.changed] for one in sessions],
        "blobs": {one.name: plain(opened.get_session(one.name)) for one in sessions},
        "notices": list(opened.notices),
    }


def beside(path: Path, name: str) -> ts.Trace:
    """A trace that was frozen together with a file that is about it."""
    return ts.Trace.from_bytes((path.parent / name).read_bytes())


OPENED: dict[str, Callable[[Path], Any]] = {
    "trace": lambda path: trace(ts.Trace.from_bytes(path.read_bytes())),
    "session": lambda path: session(ts.Session.from_bytes(path.read_bytes())),
    "file": lambda path: file_of_session(session_file.read(path.read_bytes())),
    "link": lambda path: shared(share.decode(path.read_text("ascii"))),
    "readings": lambda path: readings(share.decode_readings(path.read_text("ascii"))),
    "recipes": lambda path: recipes(json.loads(path.read_text("utf-8"))),
    "map": lambda path: attention(records.decode_map(path.read_bytes())),
    "top": lambda path: attention(records.decode_top(path.read_bytes())),
    "rollout": lambda path: attention(records.decode_rollout(path.read_bytes())),
    "overview": lambda path: overview(summary_records.decode_overview(path.read_bytes())),
    "flow": lambda path: flow(summary_records.decode_flow(path.read_bytes())),
    "influence": lambda path: influence(
        decode_influence(path.read_bytes(), beside(path, "trace-generated.arrow"))
    ),
    "comparison": lambda path: comparison(
        decode_comparison(
            path.read_bytes(),
            beside(path, "trace-generated.arrow"),
            beside(path, "trace-branch.arrow"),
            THRESHOLD,
        )
    ),
}
