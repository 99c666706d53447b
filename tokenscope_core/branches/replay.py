"""Carrying out recorded recipes by hand: what a replay script calls."""

from __future__ import annotations

from tokenscope_core.branches.growing import branch_rows, grown
from tokenscope_core.branches.plans import BranchPlan
from tokenscope_core.models.language_model import LanguageModel
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.request import Request
from tokenscope_core.record.trace import Trace


def apply_edit(lm: LanguageModel, trace: Trace, edit: Edit, request: Request) -> Trace:
    """The branch that exactly this edit and this request make of a trace.

    Where `fork` works out how the branch is to go on, this takes it as it was recorded, in
    `branch[1]` and `request` of a trace or `edit` and `request` of a session's branch.

    Raises: as `fork`.
    """
    plan = BranchPlan(trace, edit, request)
    return grown(lm, plan, branch_rows(lm, plan))
