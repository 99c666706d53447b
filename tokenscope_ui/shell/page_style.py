"""The few things the theme cannot say: a code font in the prompt, less space around the page,
columns that stand one below the other where the window is too narrow for two; and where the theme's
own contrast falls short of WCAG 2.2 AA: captions, the primary button when dark, what has focus."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

_STYLE = r"""
<style>
  .st-key-prompt textarea, .st-key-suffix textarea, .st-key-stop textarea,
  .st-key-compared_text textarea, .st-key-system textarea, .st-key-answer textarea,
  [class*="st-key-turn-"] textarea {
    font-family: "Source Code Pro", monospace; font-size: 0.84rem; tab-size: 4;
  }
  /* What is not seen takes no room, nor do the grey bars that stand for it while it loads. */
  .st-key-unseen { position: absolute; width: 0; height: 0; }
  .st-key-unseen [data-testid="stSkeleton"] { display: none; }
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
  /* Streamlit fades captions to 60 %, 3.9:1 on white. */
  [data-testid="stCaptionContainer"] { opacity: 0.8; }
  [data-testid="stCaptionContainer"] code { color: inherit; }
  /* Streamlit sets `color-scheme` to its theme. White on the dark theme's primary is 2.3:1. */
  [data-testid^="stBaseButton-primary"], [data-testid^="stBaseButton-primary"]:is(:hover, :focus) {
    color: light-dark(#fff, #0e1117);
  }
  .stApp { --ts-focus: light-dark(#0072b2, #56b4e9); }
  .stApp :is(a, button, summary, [tabindex]):focus-visible,
  .stApp label:has(:is([type="checkbox"], [type="radio"]):focus-visible),
  .stApp [data-baseweb="select"] > div:focus-within,
  .stApp :is([data-baseweb="input"], [data-baseweb="textarea"]):focus-within {
    outline: 2px solid var(--ts-focus); outline-offset: 1px;
  }
  [data-testid="stMain"]:focus-visible { outline-offset: -2px !important; }
  /* The words of a button that shows an icon alone are for those who listen. */
  [class*="st-key-icon-"] button [data-testid="stMarkdownContainer"] {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
  [data-testid="stMainBlockContainer"] h2 { font-size: 1.35rem; }
  [class*="st-key-problem"] { background: color-mix(in srgb, #ff4b4b 6%, transparent); }
</style>
"""


def apply() -> DeltaGenerator:
    """Add the style to the page; returns the place for what is on the page and not seen."""
    unseen = st.container(key="unseen")
    # Streamlit loads what draws HTML when it is first needed, and Markdown with the page: until
    # the style is there, the page stands elsewhere.
    unseen.markdown(_STYLE, unsafe_allow_html=True)
    return unseen
