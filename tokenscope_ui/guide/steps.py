"""What the guide shows, step by step: a page, what stands there, and where to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tokenscope_core import Trace, candidate_frame
from tokenscope_core.display.formatting import metric_text
from tokenscope_core.models.files.catalogue import SMOLLM2
from tokenscope_ui.guide.recording import Recording
from tokenscope_ui.pages import ATTENTION, BRANCHES, COMPARE, DECODE, SYNTAX, Page
from tokenscope_ui.runs.runs import RUN_PARAMETER, TOKEN_PARAMETER
from tokenscope_ui.trace.sampled_choices import token_code

# The one whose attention is recorded.
LAYER = 15


@dataclass(frozen=True, slots=True)
class Step:
    """One page of the guide: `text` in Markdown; the branch and the token it is about; what else
    its address says."""

    page: Page
    text: str
    branch: str
    token: int
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> dict[str, str]:
        """What the page's address says, but for the session."""
        return {RUN_PARAMETER: self.branch, TOKEN_PARAMETER: str(self.token), **self.more}


def steps_of(recording: Recording) -> tuple[Step, ...]:
    """The steps through a recording of a run and of a branch in which a token was replaced."""
    root, child = (recording.traces[branch.key] for branch in recording.session.branches[:2])
    assert child.branch is not None, "the second grew on the first"
    at = child.branch[1].position
    taken, other = token_code(root, at), token_code(child, at)
    shares = (_share(root, at, root), _share(root, at, child))
    model = SMOLLM2.title.partition(",")[0]
    return (
        Step(
            DECODE,
            f"**{model} was asked for a leap-year test, and now years are to be divisible "
            f"by 40,000.** The darker a token, the more the model was surprised by it. Selected is "
            f"{taken}: it had {shares[0]}, and on the right stands what else was considered, "
            f"{other} among it with {shares[1]}.",
            root.key, at,
        ),
        Step(
            BRANCHES,
            f"**What if it had written {other} there?** On Decode any candidate can be put in its "
            "place, and the model goes on from there. The first run stays: each replacement is a "
            "branch, drawn from where it leaves its parent.",
            child.key, at,
        ),
        Step(
            COMPARE,
            f"**One word, and the rest comes out right:** after {other} the model writes 400, not "
            "40,000. Both branches stand side by side, with where they part, what each cost, and "
            "how far the model’s distributions moved apart.",
            child.key, at,
        ),
        Step(
            SYNTAX,
            "**The same figures, by what the program consists of.** Which operators, names, "
            "conditions was the model unsure of? The code is read as Python even while it is "
            "unfinished; a click on a part shows its tokens.",
            root.key, at,
        ),
        Step(
            ATTENTION,
            f"**What was looked at before {taken} was written.** The darker a token, the more "
            "weight it had, here as the mean of one layer’s heads. Attention says where "
            "information could come from, not why: the branch has shown what the word decides.",
            root.key, at,
            {"view": "token", "mask": "1", "layer": str(LAYER)},
        ),
    )  # fmt: skip


def _share(trace: Trace, position: int, chosen: Trace) -> str:
    """The probability that a trace's model gave, at a position, to another trace's token there."""
    rows = candidate_frame(trace)
    rows = rows[(rows.position == position) & (rows.token_id == chosen.token_ids[position])]
    return metric_text("prob", float(rows["prob"].iloc[0]))
