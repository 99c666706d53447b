"""The few things the theme cannot say: a code font in the prompt, less space around the page,
columns that stand one below the other where the window is too narrow for two."""

from __future__ import annotations

import streamlit as st

_STYLE = r"""
<style>
  .st-key-prompt textarea, .st-key-suffix textarea, .st-key-stop textarea,
  .st-key-compared_text textarea, .st-key-system textarea, .st-key-answer textarea,
  [class*="st-key-turn-"] textarea {
    font-family: "Source Code Pro", monospace; font-size: 0.84rem; tab-size: 4;
  }
  [data-testid="stMainBlockContainer"] { padding: 3.4rem 2rem 3rem; }
  [data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] { gap: 0.6rem; }
  .st-key-page\ head, .st-key-page-head { min-height: 0; }
  .st-key-page-head h1 { font-size: 1.15rem; padding: 0.4rem 0 0; }
  /* Code and what is said of a token stand beside each other, each scrolling by itself. */
  :root { --ts-beside: max(24rem, calc(100vh - 15rem)); }
  @media (min-width: 901px) {
    .st-key-detail { max-height: var(--ts-beside); overflow-y: auto; scrollbar-width: thin; }
  }
  [class*="st-key-jump"] button {
    justify-content: flex-start; padding: 0.1rem 0.4rem; min-height: 0;
  }
  /* A chart of many heads is as wide as it is: it scrolls, and covers nothing beside it. */
  .st-key-heads-grid { overflow-x: auto; }
  [class*="st-key-figures"] [data-testid="stMetricValue"] { font-size: 1.15rem; }
  [class*="st-key-code-box"] {
    padding: 0.55rem 0.8rem; background: color-mix(in srgb, currentColor 4%, transparent);
  }
  [class*="st-key-code-box"] [data-testid="stText"],
  [class*="st-key-code-box"] [data-testid="stText"] * {
    font: 400 0.84rem/1.5 "Source Code Pro", monospace; tab-size: 4;
    white-space: pre-wrap; overflow-wrap: anywhere;
  }
  /* Streamlit stacks columns below 640 px only, where a line of code is short. */
  @media (max-width: 900px) {
    [data-testid="stMain"] [data-testid="stColumn"] {
      flex: 1 1 100%; width: 100%; min-width: 100%;
    }
  }
  [class*="st-key-problem"] { background: color-mix(in srgb, #ff4b4b 6%, transparent); }
</style>
"""


def apply() -> None:
    """Add the style to the page."""
    st.html(_STYLE)
