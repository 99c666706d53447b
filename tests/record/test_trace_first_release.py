"""Damage to a trace that the first release wrote is noticed as today's is."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import tokenscope_core as ts

FROZEN = Path(__file__).resolve().parents[1] / "frozen" / "2026-11-22" / "trace-generated.arrow"


@given(data=st.data())
def test_damage_to_a_file_of_the_first_release_is_noticed(data: st.DataObject) -> None:
    said = json.loads(FROZEN.with_name(f"{FROZEN.name}.says.json").read_text("utf-8"))
    old = bytearray(FROZEN.read_bytes())
    old[data.draw(st.integers(0, len(old) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        trace = ts.Trace.from_bytes(bytes(old))
    except ts.RecordError:
        return
    assert trace.token_ids.tolist() == said["token_ids"]["values"]
    assert trace.key == said["key"]
