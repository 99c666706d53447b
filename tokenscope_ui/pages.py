"""The pages: one row each, for the navigation, for the links between them, and for what is shared.

A page is `pages/NAME.py`, which ends in `route`; a new one is such a file and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenscope_core.root import ROOT


@dataclass(frozen=True, slots=True)
class Page:
    """`name` is the last part of its address and the name of its file.

    A page `of_session` shows a session: a link to the session made there leads there again. One
    `for_operator` is in the navigation of those who run the server.
    """

    name: str
    title: str
    icon: str
    of_session: bool
    for_operator: bool = False

    @property
    def file(self) -> Path:
        """What Streamlit runs for it."""
        return ROOT / "pages" / f"{self.name}.py"


DECODE = Page("decode", "Decode", ":material/stylus_note:", of_session=True)
BRANCHES = Page("branches", "Branches", ":material/account_tree:", of_session=True)
COMPARE = Page("compare", "Compare", ":material/difference:", of_session=True)
SYNTAX = Page("syntax", "Syntax", ":material/data_object:", of_session=True)
ATTENTION = Page("attention", "Attention", ":material/center_focus_strong:", of_session=True)
SHARE = Page("share", "Share", ":material/share:", of_session=False)
MODELS = Page("models", "Two models", ":material/compare_arrows:", of_session=False)
METRICS = Page("metrics", "Metrics", ":material/functions:", of_session=False)
OPERATOR = Page("server", "Operator", ":material/monitoring:", of_session=False, for_operator=True)

PAGES = (DECODE, BRANCHES, COMPARE, SYNTAX, ATTENTION, SHARE, MODELS, METRICS, OPERATOR)
"""All pages in the order of the navigation; the first is the one a plain address leads to."""

HOME = PAGES[0]
OF_SESSION = {page.name: page for page in PAGES if page.of_session}
