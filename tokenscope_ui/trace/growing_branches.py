"""Several branches while they grow side by side: what each has come to."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from tokenscope_core import Trace
from tokenscope_core.display.formatting import metric_text
from tokenscope_core.display.scales import to_screen
from tokenscope_core.display.visible import on_one_line
from tokenscope_core.jobs.generation_jobs import Ticket

_SHOWN = 90


def show_growing_branches(ticket: Ticket) -> None:
    """Draw a row for each branch of a run in progress; nothing for a single one."""
    traces = ticket.traces_so_far()
    if ticket.view().texts > 1 and traces:
        st.dataframe(pd.DataFrame([_row(trace) for trace in traces]), hide_index=True)


def _row(trace: Trace) -> dict[str, str]:
    fork = trace.branch[1].position if trace.branch else trace.prompt_length
    start = int(trace.byte_start[fork]) if fork < len(trace) else len(trace.text_bytes)
    end = trace.branch[1].next_position if trace.branch else fork
    put = trace.token_ids[fork:end].tolist()
    written = on_one_line(trace.text_bytes[start:])
    surprisal = to_screen("surprisal", trace.surprisal[fork:])
    return {
        "put there": on_one_line(b"".join(trace.vocabulary.token_bytes[i] for i in put)),
        "so far": written if len(written) <= _SHOWN else "…" + written[-_SHOWN:],
        "new tokens": f"{len(trace) - fork:,}",
        "mean surprisal": metric_text("surprisal", float(surprisal.mean()))
        if len(surprisal)
        else "",
    }
