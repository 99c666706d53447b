"""A short Python program that computes a trace again and checks that it is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from tokenscope_core.errors import RequestError
from tokenscope_core.model_choice import ModelChoice
from tokenscope_core.request import Message, Sampling
from tokenscope_core.session import Session
from tokenscope_core.session_branch import Branch
from tokenscope_core.trace import Trace

# Nothing from outside stands in it but through repr, which leaves no line break and no quote that
# could end a text or a comment.
_PROGRAM = '''\
"""Computes a trace of TokenScope again, and checks that it is the same.

Run it where tokenscope_core can be imported, such as the folder of TokenScope: python FILE
"""

import hashlib
import sys

import tokenscope_core as ts
{import_torch}
MODEL = {model}
FINGERPRINT = {fingerprint}
KEY = {key}
TOKENS = {tokens}  # SHA-256 of the token ids, where they were at hand


def replay():
    lm = ts.load_model(MODEL{options})
    if lm.identity.fingerprint != FINGERPRINT:
        sys.exit(
            f"The model {{MODEL!r}} is not the one that the trace came from: its files or its "
            "precision differ."
        )
{steps}
    return trace


def check(trace):
    if trace.key != KEY:
        sys.exit(f"The trace came out with the key {{trace.key}}, which is not {{KEY}}.")
    tokens = hashlib.sha256(repr(trace.token_ids.tolist()).encode()).hexdigest()
    if TOKENS is not None and tokens != TOKENS:
        sys.exit("The recipe is the same, but on this machine other tokens came out.")


if __name__ == "__main__":
    try:
        trace = replay()
    except ts.TokenScopeError as error:
        sys.exit(str(error))
    check(trace)
    print(trace.text)
    print(f"The same trace: {{KEY}}", file=sys.stderr)
'''


def replay_script(
    source: Session | Trace,
    key: str | None = None,
    *,
    trace: Trace | None = None,
    model: ModelChoice | None = None,
) -> str:
    """A Python program that computes a trace again with the public API and checks its key.

    It ends with status 0 and prints the text where the trace came out the same; with status 1 and
    a sentence where it did not, or could not be computed.

    Args:
        source: the session, or a trace that is no branch.
        key: which branch of the session; the selected one by default.
        trace: that branch's, where it is at hand: its tokens are then checked too, as the key alone
            is one of the recipe.
        model: how the model is loaded here: its folder, precision and device. Default: by its name.

    Raises:
        RequestError: the trace is a branch, which needs its session, or another one's.
    """
    if isinstance(source, Trace):
        if source.branch is not None:
            raise RequestError(
                asked="A script was to be written that computes a branch again.",
                found=f"It was forked from {source.branch[0][:12]}, which is not given.",
                action="Give the session that holds both.",
            )
        trace = source
        source = Session.start(trace)
    key = source.current if key is None else key
    path = [source.branch(ancestor) for ancestor in source.path_to(key)]
    if trace is not None and trace.key != key:
        raise RequestError(
            asked=f"A script was to be written for the branch {key[:12]}.",
            found=f"The trace given is {trace.key[:12]}.",
            action="Give the trace of that branch, or none.",
        )
    choice = model or ModelChoice(source.model.name)
    options = f", dtype=torch.{choice.dtype}" if choice.dtype else ""
    options += f", device={choice.device!r}" if choice.device else ""
    return _PROGRAM.format(
        import_torch="import torch\n" if choice.dtype else "",
        model=repr(choice.name),
        fingerprint=repr(source.model.fingerprint),
        key=repr(key),
        tokens=None if trace is None else repr(_digest(trace)),
        options=options,
        steps="\n".join(line for branch in path for line in _steps(branch)),
    )


def _digest(trace: Trace) -> str:
    return hashlib.sha256(repr(trace.token_ids.tolist()).encode()).hexdigest()


def _steps(branch: Branch) -> Iterator[str]:
    yield f"    # {branch.name!r}"
    request = _call(branch.request)
    if branch.edit is None:
        yield f"    trace = ts.generate(lm, {request})"
    else:
        yield f"    trace = ts.apply_edit(lm, trace, {_call(branch.edit)}, {request})"
    if branch.stopped_after is not None:
        yield f"    trace = ts.cut_short(trace, {branch.stopped_after!r})  # it was stopped there"


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
