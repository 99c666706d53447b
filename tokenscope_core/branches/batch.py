"""Several branches of one text side by side: one forward pass steps all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch

from tokenscope_core.branches.endings import forced_end
from tokenscope_core.branches.plans import BranchPlan
from tokenscope_core.decoding.decode_loop import Chooser
from tokenscope_core.decoding.prefill import read_up_to
from tokenscope_core.decoding.recording import drawn_rows, given_rows, host_ids
from tokenscope_core.models.cache_reader import CacheReader
from tokenscope_core.models.known_tokens import require_known_tokens
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.record.metrics import Distributions, measure, missing
from tokenscope_core.record.steps import FinishReason, Rows


def continue_batch(
    lm: LanguageModel,
    reader: CacheReader,
    texts: Sequence[Sequence[int]],
    plans: Sequence[BranchPlan],
) -> Iterator[tuple[int, Rows]]:
    """Read what was put into each text and go on with all of them, one step for each together.

    A text that ends leaves the batch. Yields rows with the index of their plan.

    Args:
        lm: a model whose cache branches.
        reader: has read less than what the texts share.
        texts: of equal length; where they have given tokens that is one, and they differ in it.
        plans: what they are branches of, with requests that are equal but for the seed.
    """
    request, shared = plans[0].request, plans[0].shared
    start = len(texts[0])
    ids = torch.zeros((len(texts), start + request.max_new_tokens), dtype=torch.long)
    ids = ids.to(lm.device)
    ids[:, :start] = torch.tensor(texts)
    read_up_to(lm, reader, ids[:1], shared - 1)
    ended = [forced_end(lm, chosen) for chosen in plans]
    if start > shared:
        yield from _given(lm, reader.branch(reader.length), ids[:, :start], plans, ended)
    alive = [text for text, over in enumerate(ended) if not over]
    if alive:
        batch = reader.branch(reader.length, texts=len(alive))
        yield from _steps(lm, batch, ids, start, plans, alive)


def _steps(
    lm: LanguageModel,
    reader: CacheReader,
    ids: torch.Tensor,
    start: int,
    plans: Sequence[BranchPlan],
    alive: list[int],
) -> Iterator[tuple[int, Rows]]:
    request, end = plans[0].request, ids.shape[1]
    choosers = {
        text: Chooser(lm, plans[text].request, ids[text : text + 1], plans[text].prompt_length)
        for text in alive
    }
    began = time.perf_counter()
    logits = reader.read_rows(ids[alive, reader.length : start])[:, -1]
    for position in range(start, end):
        with torch.inference_mode():
            distributions = Distributions(logits, request.candidates)
            chosen = [
                choosers[text].choose(distributions.row(row), position, ())
                for row, text in enumerate(alive)
            ]
            measures = distributions.measure(ids[alive, position])
        elapsed_ms = 1000.0 * (time.perf_counter() - began)
        last: FinishReason | None = "length" if position + 1 == end else None
        on: list[int] = []
        for row, text in enumerate(alive):
            choices, reason = chosen[row]
            if reason or last:
                lm.prefixes.put(ids[text, :position].tolist(), reader.copy_of_text(row))
            else:
                on.append(row)
            part = drawn_rows(
                choices,
                measures.row(row),
                start=position,
                elapsed_ms=elapsed_ms,
                finish_reason=reason or last,
            )
            yield text, part
        if not on:
            return
        if len(on) < len(alive):
            reader.keep_texts(torch.tensor(on, device=lm.device))
            alive = [alive[row] for row in on]
        drawn = ids[alive, position]
        require_known_tokens(lm, drawn.tolist(), "What was drawn")
        began = time.perf_counter()
        logits = reader.read_rows(drawn.unsqueeze(1))[:, -1]


def _given(
    lm: LanguageModel,
    reader: CacheReader,
    ids: torch.Tensor,
    plans: Sequence[BranchPlan],
    ended: Sequence[FinishReason | None],
) -> Iterator[tuple[int, Rows]]:
    """The rows of the tokens put at the fork: all from the one distribution before it."""
    shared, candidates = plans[0].shared, plans[0].request.candidates
    taken = ids[:, shared]
    if shared:
        logits = reader.read(ids[:1, shared - 1 : shared])
        with torch.inference_mode():
            measures = measure(logits.expand(len(ids), -1), taken, candidates)
    else:
        measures = missing(len(ids), min(candidates, lm.identity.vocabulary_size))
    for index, chosen in enumerate(plans):
        rows = given_rows(
            host_ids(taken[index : index + 1]),
            chosen.given_sources,
            measures.row(index),
            start=shared,
            finish_reason=ended[index],
        )
        yield from ((index, part) for part in rows)
