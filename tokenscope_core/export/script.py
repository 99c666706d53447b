"""A Python program that computes a session again and checks that it is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from tokenscope_core.errors import RequestError
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.record.conversation import Message
from tokenscope_core.record.request import Sampling
from tokenscope_core.record.trace import Trace
from tokenscope_core.sessions.branch import Branch
from tokenscope_core.sessions.session import Session

# Nothing from outside stands in it but through repr, which leaves no line break and no quote that
# could end a text or a comment.
_PROGRAM = '''\
"""Computes the branches of a TokenScope session again, and checks that they are the same.

Run it with the Python that TokenScope is installed for, from wherever it lies: python FILE. Where
that does not find TokenScope, name its folder in the environment variable TOKENSCOPE_FOLDER.
"""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
{import_torch}
MODEL = {model}
FINGERPRINT = {fingerprint}
SHOWN = {shown}  # the branch whose text is printed


def find_tokenscope():
    """Make tokenscope_core importable: it may be installed, or lie in a folder nearby."""
    if importlib.util.find_spec("tokenscope_core") is not None:
        return
    here, own = Path.cwd(), Path(__file__).resolve().parent
    named = os.environ.get("TOKENSCOPE_FOLDER")
    # A virtual environment often lies in the folder of the program that it was made for.
    nearby = [here, *here.parents, own, *own.parents, Path(sys.prefix).parent]
    for folder in [Path(named)] if named else nearby:
        if (folder / "tokenscope_core" / "__init__.py").is_file():
            sys.path.insert(0, str(folder))
            return
    sys.exit(
        "TokenScope was not found, neither installed nor in a folder nearby. Run this with the "
        "Python of TokenScope's own environment, or set TOKENSCOPE_FOLDER to its folder."
    )


def replay(ts):
    """The traces of all branches, by their keys."""
    lm = ts.load_model(MODEL{options})
    if lm.identity.fingerprint != FINGERPRINT:
        sys.exit(
            f"The model {{MODEL!r}} is not the one that the traces came from: its files or its "
            "precision differ."
        )
    traces = {{}}
{steps}
    return traces


def checked(trace, key, tokens):
    """The trace, where it is the one of that key; tokens is the SHA-256 of its token ids, or None
    where they were not at hand."""
    if trace.key != key:
        sys.exit(f"A trace came out with the key {{trace.key}}, which is not {{key}}.")
    found = hashlib.sha256(repr(trace.token_ids.tolist()).encode()).hexdigest()
    if tokens is not None and found != tokens:
        sys.exit(f"The recipe of {{key}} is the same, but on this machine other tokens came out.")
    print(f"The same trace: {{key}}", file=sys.stderr)
    return trace


if __name__ == "__main__":
    find_tokenscope()
    import tokenscope_core as ts

    try:
        traces = replay(ts)
    except ts.TokenScopeError as error:
        sys.exit(str(error))
    print(traces[SHOWN].text)
'''


def replay_script(
    source: Session | Trace,
    key: str | None = None,
    *,
    traces: Iterable[Trace] = (),
    model: ModelChoice | None = None,
) -> str:
    """A Python program that computes traces again with the public API and checks their keys.

    It ends with status 0 and prints the text of one branch where all came out the same; with status
    1 and a sentence where one did not, or could not be computed.

    Args:
        source: the session, all branches of which are computed, or a trace that is no branch.
        key: a branch of the session: only it and those that it grew on are computed then.
        traces: those of its branches that are at hand: their tokens are checked too, as a key alone
            is one of the recipe.
        model: how the model is loaded here: its folder, precision and device. Default: by its name.

    Raises:
        RequestError: the trace is a branch, which needs its session, or a trace is another
            session's.
    """
    if isinstance(source, Trace):
        if source.branch is not None:
            raise RequestError(
                asked="A script was to be written that computes a branch again.",
                found=f"It was forked from {source.branch[0][:12]}, which is not given.",
                action="Give the session that holds both.",
            )
        traces = (source, *traces)
        source = Session.start(source)
    held = {trace.key: trace for trace in traces}
    for stranger in held.keys() - {branch.key for branch in source.branches}:
        raise RequestError(
            asked="A script was to be written that computes a session again.",
            found=f"The trace {stranger[:12]} given is none of its branches.",
            action="Give traces of that session, or none.",
        )
    branches = source.branches
    if key is not None:
        branches = tuple(source.branch(ancestor) for ancestor in source.path_to(key))
    choice = model or ModelChoice(source.model.name)
    options = f", dtype=torch.{choice.dtype}" if choice.dtype else ""
    options += f", device={choice.device!r}" if choice.device else ""
    return _PROGRAM.format(
        import_torch="\nimport torch\n" if choice.dtype else "",
        model=repr(choice.name),
        fingerprint=repr(source.model.fingerprint),
        shown=repr(source.current if key is None else key),
        options=options,
        # A session lists each branch behind the one that it grew on.
        steps="\n".join(line for branch in branches for line in _steps(branch, held)),
    )


def _digest(trace: Trace) -> str:
    return hashlib.sha256(repr(trace.token_ids.tolist()).encode()).hexdigest()


def _steps(branch: Branch, held: Mapping[str, Trace]) -> Iterator[str]:
    yield f"    # {branch.name!r}"
    request = _call(branch.request)
    if branch.edit is None:
        yield f"    trace = ts.generate(lm, {request})"
    else:
        parent = f"traces[{branch.parent!r}]"
        yield f"    trace = ts.apply_edit(lm, {parent}, {_call(branch.edit)}, {request})"
    if branch.stopped_after is not None:
        yield f"    trace = ts.cut_short(trace, {branch.stopped_after!r})  # it was stopped there"
    tokens = repr(_digest(held[branch.key])) if branch.key in held else None
    yield f"    traces[{branch.key!r}] = checked(trace, {branch.key!r}, {tokens})"


def _call(value: Any) -> str:
    """The expression that makes one of the values of `request` or `edits`, defaults left out."""
    if isinstance(value, tuple):
        return f"({''.join(f'{_call(one)}, ' for one in value)})"
    if not hasattr(value, "__dataclass_fields__"):
        return repr(value)
    named = [(field, getattr(value, field.name)) for field in fields(value)]
    given = [
        f"{field.name}={_call(one)}"
        for field, one in named
        if isinstance(value, Message) or one != _default(field)
    ]
    return f"ts.{type(value).__name__}({', '.join(given)})"


def _default(field: Any) -> Any:
    return Sampling() if field.name == "sampling" else field.default
