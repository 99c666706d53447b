"""The pages: one row each, for the navigation, for the links between them, and for what is shared.

A page is `pages/NAME.py`, which ends in `route`; a new one is such a file and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenscope_core.root import ROOT


@dataclass(frozen=True, slots=True)
class Page:
    """`name` is the last part of its address and the name of its file; `question` is what the page
    answers, and its heading.

    A page `of_session` shows a session: a link to the session made there leads there again. One
    `for_operator` is in the navigation of those who run the server.
    """

    name: str
    title: str
    question: str
    icon: str
    of_session: bool
    for_operator: bool = False

    @property
    def file(self) -> Path:
        """What Streamlit runs for it."""
        return ROOT / "pages" / f"{self.name}.py"


DECODE = Page(
    "decode", "Decode", "Where was the model unsure?",
    ":material/stylus_note:", of_session=True,
)  # fmt: skip
BRANCHES = Page(
    "branches", "Branches", "What if it had written something else?",
    ":material/account_tree:", of_session=True,
)  # fmt: skip
COMPARE = Page(
    "compare", "Compare", "What did the change change?",
    ":material/difference:", of_session=True,
)  # fmt: skip
SYNTAX = Page(
    "syntax", "Syntax", "Which parts of the program was the model unsure of?",
    ":material/data_object:", of_session=True,
)  # fmt: skip
ATTENTION = Page(
    "attention", "Attention", "What did each token look at?",
    ":material/center_focus_strong:", of_session=True,
)  # fmt: skip
SHARE = Page(
    "share", "Share", "How do I show this to somebody?",
    ":material/share:", of_session=False,
)  # fmt: skip
MODELS = Page(
    "models", "Two models", "Where do two models read one text differently?",
    ":material/compare_arrows:", of_session=False,
)  # fmt: skip
METRICS = Page(
    "metrics", "Metrics", "What do the numbers mean?",
    ":material/functions:", of_session=False,
)  # fmt: skip
OPERATOR = Page(
    "server", "Operator", "How is this server doing?",
    ":material/monitoring:", of_session=False, for_operator=True,
)  # fmt: skip

PAGES = (DECODE, BRANCHES, COMPARE, SYNTAX, ATTENTION, SHARE, MODELS, METRICS, OPERATOR)
"""All pages in the order of the navigation; the first is the one a plain address leads to."""

HOME = PAGES[0]
BY_NAME = {page.name: page for page in PAGES}
OF_SESSION = {page.name: page for page in PAGES if page.of_session}
