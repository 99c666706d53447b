"""The shell's verbs on files and links: export, import, share, open."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenscope_core import export
from tokenscope_core.errors import RequestError
from tokenscope_core.interchange.answer_import import import_answer
from tokenscope_core.record.tables import candidate_frame, token_frame
from tokenscope_core.record.trace import Trace
from tokenscope_core.sessions.session import Session
from tokenscope_core.sessions.tables import tree_frame
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import session_file
from tokenscope_core.sharing.format import Shared
from tokenscope_core.shell.arguments import add_format, add_verb, refuse_binary
from tokenscope_core.shell.model import located, open_model
from tokenscope_core.shell.output import frame_json, print_frame, say, write_json, write_text
from tokenscope_core.shell.terminal import printable
from tokenscope_core.store.store import Store

_SHOWN = ["name", "tokens", "mean_surprisal", "finish_reason", "key"]


@dataclass(frozen=True, slots=True)
class _Held:
    """What a file holds: a session or a single trace, the traces in it, and the key of the branch
    to be exported: the one asked for, or else the one selected."""

    source: Session | Trace
    traces: Mapping[str, Trace]
    key: str
    asked_for: str | None = None

    @property
    def session(self) -> Session:
        """The session, of a single trace one of its own; a branch alone has none."""
        return Session.start(self.source) if isinstance(self.source, Trace) else self.source

    @property
    def trace(self) -> Trace:
        """The trace asked for."""
        if self.key not in self.traces:
            raise RequestError(
                asked=f"“{self.session.branch(self.key).name}” was to be exported.",
                found="The file holds its recipe only.",
                action="Open its link with --compute, or export the replay script.",
            )
        return self.traces[self.key]


FORMATS: Mapping[str, Callable[[_Held], bytes]] = {
    "arrow": lambda held: held.trace.to_bytes(),
    "parquet": lambda held: export.parquet(held.trace),
    "json-lines": lambda held: export.json_lines(held.trace),
    "csv": lambda held: export.csv(token_frame(held.trace)),
    "candidates-csv": lambda held: export.csv(candidate_frame(held.trace)),
    "openai-chat": lambda held: _json(export.openai_chat(held.trace)),
    "openai-completion": lambda held: _json(export.openai_completion(held.trace, echo=True)),
    "report": lambda held: export.report(held.source, held.traces.values()),
    "script": lambda held: export.replay_script(
        held.session, held.asked_for, traces=held.traces.values()
    ).encode("utf-8"),
    "session": lambda held: session_file.write(held.session, held.traces.values()),
}
_BINARY = ("arrow", "parquet", "session")


def add_verbs(verbs: Any) -> argparse.ArgumentParser:
    """Add the verbs to a parser's; returns that of `import`, whose result is a trace."""
    exporting = add_verb(
        verbs, "export", _export, "write a saved trace or session in another format",
        "run.arrow --to report --out report.html",
        "tree.tokenscope --to csv --branch 3f2a",
    )  # fmt: skip
    exporting.add_argument("file", help="a trace (Arrow) or a session file")
    exporting.add_argument(
        "--to", choices=tuple(FORMATS), required=True, metavar="FORMAT",
        help=f"one of {', '.join(FORMATS)}",
    )  # fmt: skip
    exporting.add_argument("--branch", default="", help="of a session: how its key begins")
    exporting.add_argument("--out", help="the file to write; default: standard output")

    importing = add_verb(
        verbs, "import", _import, "tabulate an engine's answer with logprobs",
        "answer.json",
        "stream.txt --tokenizer MODEL --out answer.arrow",
    )  # fmt: skip
    importing.add_argument("file", help="a response or a stream, as JSON, lines of it or events")
    importing.add_argument("--choice", type=int, default=0, help="which choice of the response")
    importing.add_argument(
        "--tokenizer", help="the model that answered: its tokenizer tells the bytes of ids"
    )

    sharing = add_verb(
        verbs, "share", _share, "print what a link to a session carries", "tree.tokenscope"
    )
    sharing.add_argument("file", help="a session file, or a trace that is no branch")

    opening = add_verb(
        verbs, "open", _open, "show the session of a link or a session file",
        "tree.tokenscope",
        "ts1.… --compute --out tree.tokenscope",
    )  # fmt: skip
    opening.add_argument("link", help="what a link carries, or a session file")
    opening.add_argument("--compute", action="store_true", help="run what is missing")
    opening.add_argument("--out", help="also write it, with all traces at hand, as a session file")
    add_format(opening)
    return importing


def _export(options: argparse.Namespace) -> None:
    if not options.out:
        refuse_binary(options.to, sys.stdout.isatty(), _BINARY)
    blob = FORMATS[options.to](_held(options.file, options.branch))
    if options.out:
        Path(options.out).write_bytes(blob)
    elif sys.stdout.isatty():
        write_text(blob.decode("utf-8"))
    else:
        sys.stdout.buffer.write(blob)
        sys.stdout.buffer.flush()


def _import(options: argparse.Namespace) -> Trace:
    found = import_answer(
        Path(options.file).read_bytes(), choice=options.choice, tokenizer=options.tokenizer
    )
    say((f"Read as: {found.format}.", *found.notes))
    if found.needs_tokenizer and options.tokenizer is None:
        say(("Name the model with --tokenizer to have its bytes.",))
    return found.trace


def _share(options: argparse.Namespace) -> None:
    print(share.encode(_held(options.file).session))


def _open(options: argparse.Namespace) -> None:
    if share.is_payload(options.link):
        shared, traces = share.decode(options.link), {}
    else:
        opened = session_file.read(Path(options.link).read_bytes())
        shared, traces = opened.shared, dict(opened.traces)
        say(opened.problems)
    store = Store()
    try:
        if options.compute:
            _compute(shared, store)
        cost = share.cost(shared, store)
        traces |= {key: trace for key in cost.held if (trace := store.get(key)) is not None}
    finally:
        store.close()
    frame = tree_frame(shared.session, traces)
    if options.json:
        rows = frame_json(frame)
        write_json({"units": rows["units"], "branches": rows["rows"]})
    elif options.csv:
        write_text(frame.to_csv(index=False))
    else:
        print_frame(frame[_SHOWN])
    missing = len(shared.session) - len(traces)
    if missing:
        note = (
            f"{missing} of {len(shared.session)} traces are not here: at most "
            f"{cost.generated_tokens:,} tokens to generate and {cost.read_tokens:,} to read; the "
            f"model “{printable(shared.session.model.name)}” is: {cost.availability}. --compute "
            "runs them."
        )
        say((note,)) if options.json or options.csv else print(note)
    if options.out:
        Path(options.out).write_bytes(
            session_file.write(shared.session, traces.values(), shared.view, model=shared.model)
        )


def _compute(shared: Shared, store: Store) -> None:
    cost = share.cost(shared, store)
    if not cost.missing:
        return
    if cost.availability == "to be read" and cost.model is not None:
        located(cost.model.name)
        cost = share.cost(shared, store)
    if cost.model is None or cost.availability != "here":
        raise RequestError(
            asked="The traces of a link were to be computed.",
            found=f"They need “{shared.session.model.name}” exactly as it was, which is: "
            f"{cost.availability}.",
            action="Make that model available, or ask for the session file with its traces.",
        )
    import torch

    from tokenscope_core.sessions.traces import trace_of

    dtype = getattr(torch, cost.model.dtype) if cost.model.dtype else None
    lm = open_model(cost.model.name, dtype=dtype)
    for key in cost.missing:
        trace_of(shared.session, key, store, lm)


def _held(file: str, beginning: str = "") -> _Held:
    blob = Path(file).read_bytes()
    if not blob.startswith(b"PK"):
        trace = Trace.from_bytes(blob)
        if not trace.key.startswith(beginning):
            raise RequestError(
                asked=f"The branch whose key begins with {beginning} was asked for.",
                found=f"The file holds one trace, {trace.key[:12]}.",
                action="Leave out --branch, or name the file of the session.",
            )
        return _Held(trace, {trace.key: trace}, trace.key)
    opened = session_file.read(blob)
    say(opened.problems)
    session = opened.shared.session
    found = [branch.key for branch in session.branches if branch.key.startswith(beginning)]
    if beginning and len(found) != 1:
        raise RequestError(
            asked=f"The branch whose key begins with {beginning} was asked for.",
            found=f"{len(found)} of the {len(session)} branches are called so.",
            action="Give more of the key, or another.",
        )
    asked_for = found[0] if beginning else None
    return _Held(session, opened.traces, asked_for or session.current, asked_for)


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, indent=1).encode("utf-8") + b"\n"
