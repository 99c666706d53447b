"""The recording that the app's guide leads through.

    python -m docs_tools.guide    # writes tokenscope_ui/assets/guide.zip

SmolLM2-135M-Instruct writes one function, greedily, and it is wrong: years were to be divisible by
40,000. One word decided that; replaced by the model's third choice, the rest comes out right. Both
runs, how far the distributions moved and the attention of one layer are recorded, so that the guide
needs no model.
"""

from __future__ import annotations

import tokenscope_core as ts
from tokenscope_core.attention.capture_tasks import AttentionOf
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.jobs.analysis_tasks import BranchComparison, key_of
from tokenscope_core.models.files.catalogue import SMOLLM2
from tokenscope_core.models.obtaining import obtain
from tokenscope_ui.guide.recording import FILE, Recording, write
from tokenscope_ui.guide.steps import LAYER

ASKED = "Write a Python function `is_leap(year)`. Say whether a year is a leap year."
BEGINNING = "```python\ndef is_leap(year):"
TAKEN, REPLACEMENT = b" and", b" or"


def main() -> None:
    """Record it."""
    obtain(SMOLLM2.name)
    lm = ts.load_model(SMOLLM2.name)
    request = ts.Request(
        messages=(ts.Message("user", ASKED),), prompt=BEGINNING, max_new_tokens=96,
        sampling=ts.Sampling(temperature=0.0), stop=("```",),
    )  # fmt: skip
    taken = ts.generate(lm, request)
    spelled = taken.vocabulary.token_bytes
    position = max(i for i, token in enumerate(taken.token_ids) if spelled[token] == TAKEN)
    replaced = ts.fork(lm, taken, position=position, text=REPLACEMENT.decode())
    session = ts.Session.start(taken).add(replaced, parent=taken)
    session = session.rename(taken.key, "as written").rename(replaced.key, "or")
    comparison = BranchComparison(taken, replaced)
    results = {key_of(comparison): comparison.to_bytes(ts.compare(taken, replaced, lm))}
    for trace in (taken, replaced):
        attention = AttentionOf(trace, Selection((LAYER,)))
        results[key_of(attention)] = attention.to_bytes(ts.attention(lm, trace, layers=[LAYER]))
    traces = {trace.key: trace for trace in (taken, replaced)}
    FILE.write_bytes(write(Recording(session.select(taken.key).without_history(), traces, results)))
    for trace in traces.values():
        print(trace.text[trace.text.rindex("```python") :], "\n")
    print(f"{FILE.name}: {FILE.stat().st_size:,} bytes; model {taken.model.fingerprint[:12]}")


if __name__ == "__main__":
    main()
