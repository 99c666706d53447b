"""Files of what is in hand. Nothing is made before somebody asks for it (`files`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import streamlit as st

from tokenscope_core import (
    Session,
    Trace,
    candidate_frame,
    compare,
    export,
    syntax_frame,
    token_frame,
    tree_frame,
)
from tokenscope_core.display.formatting import branches_text
from tokenscope_core.display.scales import LogUnit
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.models.files.sources import identified
from tokenscope_core.sessions.screen_state import View
from tokenscope_core.sessions.uploads import is_from_file
from tokenscope_core.sharing import session_file
from tokenscope_core.syntax.documents.texts import language_label
from tokenscope_ui.drawing import chart_files, files
from tokenscope_ui.drawing.charts import position_chart, position_table, scale_for
from tokenscope_ui.drawing.files import File
from tokenscope_ui.trace import look_here
from tokenscope_ui.trace.programs import program_of


def stem(session: Session, key: str) -> str:
    """How the files of a branch are called: model and branch, in characters that every system
    takes, and the beginning of the key."""
    return files.stem(session.model.name, session.branch(key).name, key[:8])


def of_trace(session: Session, trace: Trace) -> tuple[File, ...]:
    """The formats of one trace."""
    name, hindsight = stem(session, trace.key), look_here.known(trace)
    parquet = partial(export.parquet, trace, hindsight=hindsight)
    json_lines = partial(export.json_lines, trace, hindsight=hindsight)
    return (
        File("Arrow", "All columns as the store keeps them; opens in pandas, R, DuckDB and here.",
             f"{name}.arrow", "application/vnd.apache.arrow.file", trace.to_bytes),
        File("Parquet", "One row a token, with the candidates as lists.",
             f"{name}.parquet", "application/vnd.apache.parquet", parquet),
        File("JSON Lines", "One JSON object a token.",
             f"{name}.jsonl", "application/jsonl", json_lines),
        File("OpenAI chat JSON", "As a chat completion with logprobs; generated tokens.",
             f"{name}.openai-chat.json", "application/json",
             lambda: files.as_json(export.openai_chat(trace))),
        File("OpenAI completion JSON", "As a legacy completion with logprobs, the prompt echoed.",
             f"{name}.openai-completion.json", "application/json",
             lambda: files.as_json(export.openai_completion(trace, echo=True))),
    )  # fmt: skip


def tables(
    session: Session,
    trace: Trace,
    traces: Mapping[str, Trace],
    *,
    for_spreadsheet: bool,
    language: str | None = None,
) -> tuple[File, ...]:
    """Tables as CSV.

    Args:
        session: the tree.
        trace: the one shown.
        traces: all that are at hand, by key.
        for_spreadsheet: whether texts that a spreadsheet would run as formulas are defused.
        language: that the syntax is read in; None takes the trace's own.
    """
    program, hindsight = program_of(trace, language), look_here.known(trace)
    name, csv = stem(session, trace.key), partial(export.csv, for_spreadsheet=for_spreadsheet)
    files = [
        File("Tokens", "One row a token: every metric, in nats.",
             f"{name}.tokens.csv", "text/csv",
             lambda: csv(token_frame(trace, hindsight=hindsight))),
        File("Candidates", "One row a position and candidate.",
             f"{name}.candidates.csv", "text/csv", lambda: csv(candidate_frame(trace))),
        File("Syntax", "One row a token: category, statement, scope and line, read as "
             f"{language_label(program.language)}.",
             f"{name}.syntax.csv", "text/csv",
             lambda: csv(syntax_frame(program))),
        File("Branches", "One row a branch, as on the page Branches.",
             f"{name}.branches.csv", "text/csv", lambda: csv(tree_frame(session, traces))),
    ]  # fmt: skip
    if hindsight is not None:
        files.append(
            File("Hindsight", "One row a position and alternative: choice, rest and log-odds, in "
                 "nats.", f"{name}.hindsight.csv", "text/csv", lambda: csv(hindsight.frame()))
        )  # fmt: skip
    parent = traces.get(session.branch(trace.key).parent or "") if trace.key in session else None
    if parent is not None:
        files.append(
            File("Compared with its parent", "One row a place in either text, with differences.",
                 f"{name}.compared.csv", "text/csv", lambda: csv(compare(parent, trace).frame()))
        )  # fmt: skip
    return tuple(files)


def of_session(
    session: Session, traces: Mapping[str, Trace], view: Mapping[str, View]
) -> tuple[File, ...]:
    """The session as files, with the traces that are at hand."""
    name, choice = stem(session, session.current), _plain(session)
    files = [
        File("Session file", "The whole tree with its figures. This page opens such files up to "
             f"{st.get_option('server.maxUploadSize')} MB.",
             f"{name}.tokenscope", "application/zip",
             lambda: session_file.write(session, traces.values(), view, model=choice)),
        File("HTML report", "One page that opens anywhere, without a network: code, hover, "
             "candidates and tree.",
             f"{name}.html", "text/html",
             lambda: export.report(session, traces.values())),
    ]  # fmt: skip
    if not is_from_file(session.model):
        files.append(
            File("Replay script", "A Python program that computes "
                 f"{branches_text(len(session))} again and checks that all are the same.",
                 f"{name}.py", "text/x-python",
                 lambda: export.replay_script(
                     session, traces=traces.values(), model=choice
                 ).encode("utf-8"))
        )  # fmt: skip
    return tuple(files)


def charts(
    session: Session, trace: Trace, metric: str, unit: LogUnit, *, relative: bool
) -> tuple[File, ...]:
    """The metric over position, as on Decode: a picture, or what draws it."""
    if not np.isfinite(trace.column(metric)).any():
        return ()

    def chart() -> chart_files.Chart:
        scale = scale_for(trace, metric, relative=relative, unit=unit)
        return position_chart(position_table(trace, metric, unit), scale, selected=None)

    return chart_files.of_chart(chart, f"{stem(session, trace.key)}.{metric}")


def size_of_report(traces: Iterable[Trace]) -> float:
    """About how many megabytes the report takes: 0.4 for 1,000 tokens of 20 candidates."""
    cells: int = sum(len(trace) * (trace.candidate_ids.shape[1] + 8) for trace in traces)
    return 0.4 * cells / (1000 * 28)


def _plain(session: Session) -> ModelChoice | None:
    """How the model is loaded, by its name alone: where it lies is nobody else's concern."""
    choice = identified(session.model)
    return None if choice is None else ModelChoice(session.model.name, choice.dtype)
