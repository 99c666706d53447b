"""Growing branches: one after another, or the alternatives at a position as one batch.

A branch copies its parent's record of what they share, reads what was put there, and goes on with
the parent's noise, so that it differs because of the edit and not because of new luck. Keys and
values of the shared tokens are taken over where they are at hand and computed again where they
are not; the trace is the same. A parent that was read in windows is gone on from in the window of
the fork, as far as the model's context reaches.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from tokenscope_core.branches.batch import continue_batch
from tokenscope_core.branches.endings import forced_end
from tokenscope_core.branches.insertion import inserted_ids
from tokenscope_core.branches.plans import BranchPlan, alternatives, plan
from tokenscope_core.decoding.recording import recorded_rows
from tokenscope_core.decoding.request_run import require_context, run
from tokenscope_core.decoding.stopping import require_known
from tokenscope_core.decoding.windowed import moved, text_before
from tokenscope_core.errors import RequestError
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.known_tokens import require_known_tokens
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.steps import Rows
from tokenscope_core.record.trace import Trace


def fork(
    lm: LanguageModel,
    trace: Trace,
    position: int,
    *,
    token_id: int | None = None,
    text: str | None = None,
    removed: int | None = None,
    kept: int = 0,
    max_new_tokens: int | None = None,
    seed: int | None = None,
) -> Trace:
    """Keep the tokens before a position, force a token or a text there, and go on.

    What is forced after the prompt counts as generated: where its last token is an end or a stop
    token, or completes a stop string, the branch ends there, as it would had that been drawn. Fork
    at its end, forcing nothing, to go on all the same.

    Args:
        lm: the model that the trace came from.
        trace: the parent; it is not changed.
        position: where the forced tokens stand; the trace's length appends.
        token_id: the token to force, or
        text: the text to force, as one token or several, or neither: go on from before position.
        removed: how many of the parent's tokens they replace; 0 inserts before the position.
            Default: one where something is forced.
        kept: how many of the tokens after those are kept and read as they are.
        max_new_tokens: how many to generate after that; 0 only rescores. Default: as far as the
            parent was to go; of a fork at its end that forces nothing as many again, which gives
            what one longer run would.
        seed: of fresh noise; None keeps the parent's.

    Raises:
        RequestError: the edit lies outside the trace or would add nothing to it, or the model is
            another.
        ContextLengthError: the branch exceeds the model's context.
    """
    if token_id is not None and text is not None:
        raise RequestError(
            asked="A token and a text were to be forced at once.",
            found="Only one can stand at a position.",
            action="Give one of them.",
        )
    forced: tuple[int, ...] = () if token_id is None else (token_id,)
    if text is not None:
        forced = inserted_ids(lm.tokenizer, lm.vocabulary, text)
    require_known_tokens(lm, forced, "What was to be put in")
    if removed is None:
        removed = int(bool(forced) and position < len(trace))
    edit = Edit(position, forced, removed=removed, kept=kept, writes_on=True)
    chosen = plan(
        trace, edit, max_new_tokens=max_new_tokens, seed=seed, context_length=lm.context_length
    )
    return grown(lm, chosen, branch_rows(lm, chosen))


def explore(
    lm: LanguageModel,
    trace: Trace,
    position: int,
    *,
    top: int = 8,
    max_new_tokens: int | None = None,
) -> tuple[Trace, ...]:
    """Grow the likeliest alternatives to the token at a position side by side, as one batch.

    Returns a branch for each of the `top` most probable tokens other than the one taken, most
    probable first. Args and raises: as `fork`.
    """
    plans = alternatives(
        trace, position, top, max_new_tokens=max_new_tokens, context_length=lm.context_length
    )
    parts: list[list[Rows]] = [[] for _ in plans]
    for index, part in explore_rows(lm, plans):
        parts[index].append(part)
    return tuple(grown(lm, p, rows) for p, rows in zip(plans, parts, strict=True))


def branch_rows(lm: LanguageModel, chosen: BranchPlan) -> Generator[Rows, None, None]:
    """Run a branch: the parent's rows, those of the given tokens, then one row a token.

    Close the iterator to stop early. Raises: as `fork`.
    """
    ids, unread = _text_of(lm, chosen)
    request = chosen.request
    finish = forced_end(lm, chosen)
    if finish is not None:
        request = replace(request, max_new_tokens=0)
    elif not request.max_new_tokens:
        finish = "length"
    only_shared = finish if not chosen.given else None
    yield from recorded_rows(chosen.parent, chosen.shared, only_shared)
    if only_shared is None:
        running = run(
            lm,
            reader_before(lm, ids, chosen.shared - unread),
            ids,
            chosen.given_sources,
            request,
            prompt_length=chosen.prompt_length - unread,
            guess=chosen.old_continuation,
            finish_reason=finish,
        )
        yield from moved(running, unread)


def explore_rows(lm: LanguageModel, plans: Sequence[BranchPlan]) -> Iterator[tuple[int, Rows]]:
    """Run branches of one trace. Those that put one token each at the same position, or none and
    draw with other seeds, grow together where the model can; others one after another.

    Yields rows with the index of their plan. Close the iterator to stop early. Raises: as `fork`.
    """
    layouts = {(p.shared, len(p.given), p.request.max_new_tokens) for p in plans}
    shared, given, new_tokens = next(iter(layouts))
    together = len(layouts) == 1 and given <= 1 and new_tokens and shared + given
    together = together and not plans[0].parent.unread(shared)
    if lm.capabilities.cache != "branches" or not together:
        for index, chosen in enumerate(plans):
            yield from ((index, part) for part in branch_rows(lm, chosen))
        return
    for index, chosen in enumerate(plans):
        yield from ((index, part) for part in recorded_rows(chosen.parent, chosen.shared))
    texts = [_text_of(lm, chosen)[0] for chosen in plans]
    reader = reader_before(lm, texts[0], plans[0].shared)
    yield from continue_batch(lm, reader, texts, plans)


def grown(lm: LanguageModel, chosen: BranchPlan, rows: Iterator[Rows] | Sequence[Rows]) -> Trace:
    """The trace of a branch that has run to its end."""
    parts = list(rows)
    return chosen.trace(lm.identity, lm.vocabulary, parts, parts[-1].finish_reason or "length")


def require_same_model(lm: LanguageModel, trace: Trace) -> None:
    """Refuse to go on from a trace of another model.

    Raises:
        RequestError: the model is not the one the trace came from, or runs in other precision.
    """
    if trace.model.fingerprint != lm.identity.fingerprint:
        raise RequestError(
            asked=f"A trace of “{trace.model.name}” was to be gone on from.",
            found=f"The model given is “{lm.identity.name}”, or another version of it.",
            action="Load the model that the trace came from; to read the text with another one, "
            "score it.",
        )


def _text_of(lm: LanguageModel, chosen: BranchPlan) -> tuple[list[int], int]:
    """The tokens that a branch reads before it goes on, after checking that the model can, and how
    many of the shared ones it does not: those before the window that its parent was read in."""
    require_same_model(lm, chosen.parent)
    require_known(chosen.request, lm.identity.vocabulary_size)
    shared, unread = text_before(lm, chosen.parent, chosen.shared)
    text = [*shared, *chosen.given]
    require_known_tokens(lm, text, "The branch")
    require_context(lm, chosen.request, text, branch=True)
    return text, unread


def reader_before(lm: LanguageModel, ids: Sequence[int], shared: int) -> CacheReader:
    """A reader of the shared tokens but the last, or of as many of them as were kept: the last
    one is read again, for what the model says after it."""
    kept = lm.prefixes.branch(ids[: max(shared - 1, 0)])
    return kept or lm.new_reader()
