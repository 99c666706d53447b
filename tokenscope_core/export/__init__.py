"""A trace or a session in the formats of others: tables, OpenAI's JSON, a script, a web page.

    export.parquet(trace), export.json_lines(trace), export.csv(token_frame(trace))
    export.openai_chat(trace), export.openai_completion(trace)
    export.replay_script(session), export.report(session, traces)

Arrow is what `Trace.to_bytes` writes. Everywhere log quantities are in nats and what is missing is
null or an empty cell.
"""

from __future__ import annotations

from tokenscope_core.export.html_report import report
from tokenscope_core.export.openai import openai_chat, openai_completion
from tokenscope_core.export.script import replay_script
from tokenscope_core.export.tables import csv, json_lines, parquet

__all__ = [
    "csv",
    "json_lines",
    "openai_chat",
    "openai_completion",
    "parquet",
    "replay_script",
    "report",
]
