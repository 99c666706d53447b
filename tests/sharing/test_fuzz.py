"""A few thousand damaged links and files: all may be refused, none may crash.

`python -m benchmarks.fuzz` opens many more.
"""

from __future__ import annotations

import pytest

from benchmarks import fuzz


@pytest.mark.parametrize("kind", list(fuzz.kinds()), ids=lambda kind: str(kind.name))
def test_damaged_input_is_refused_or_read_but_never_crashes(kind: fuzz.Kind) -> None:
    kind.open(kind.sound)
    # Of engines' answers there are many, and they share their readers.
    count = 100 if kind.name.startswith("engines") else 350
    tally = fuzz.run(kind, count)
    assert tally.crashes == []
    assert tally.refused > count // 7
    assert tally.slowest_s < 10, "something takes longer the more damaged it is"
