"""Whether a branch ends with what was put there, before anything is drawn."""

from __future__ import annotations

from dataclasses import replace

from tokenscope_core.branches.plans import BranchPlan
from tokenscope_core.decoding.decode_loop import Ending, healing_of_run
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.record.steps import FinishReason


def forced_end(lm: LanguageModel, chosen: BranchPlan) -> FinishReason | None:
    """Why a branch ends with the last token that was put there, as it would had that been drawn;
    None where it goes on.

    A stop string may begin anywhere in the text after the prompt, forced or drawn, but not in the
    prompt. One that is complete before the last token was gone on from by a person.
    """
    if not chosen.edit.token_ids or chosen.edit.kept:
        return None
    in_prompt = chosen.prompt_length > chosen.shared
    request = replace(chosen.request, stop=()) if in_prompt else chosen.request
    ending = Ending(lm, request, healing_of_run(lm, request))
    last: FinishReason | None = None
    written = chosen.parent.token_ids[chosen.prompt_length : chosen.shared].tolist()
    for token_id in (*written, *chosen.given):
        last = ending.by(token_id)
    return last
