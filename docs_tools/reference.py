"""The pages of the API reference: every public name once, with what its docstring says."""

from __future__ import annotations

import tokenscope_core as ts

# Title, what the page is about, and its names.
GROUPS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "running": (
        "Running a model",
        "Load a model, ask it for a continuation or read a text with it.",
        (
            "load_model", "LanguageModel", "Capabilities", "ModelChoice", "ModelIdentity",
            "Request", "Sampling", "Message", "TemplateOptions", "generate", "stream", "TokenStep",
            "score",
        ),
    ),
    "traces": (
        "Traces and tables",
        "What was seen at every token, as one immutable value, as tables and as files.",
        (
            "Trace", "token_frame", "candidate_frame", "Metric", "METRICS", "export",
            "import_answer", "import_openai_logprobs", "Imported",
        ),
    ),
    "branches": (
        "What if",
        "Replace tokens and go on, grow alternatives, measure what a choice did to the rest.",
        (
            "extend", "Edit", "fork", "explore", "apply_edit", "influence", "Influence",
            "hindsight", "Hindsight",
        ),
    ),
    "comparison": (
        "Comparing",
        "Two branches of a run, or two models on one text.",
        (
            "compare", "Comparison", "overview", "compare_models", "ModelComparison",
            "summary_frame", "span_frame", "line_frame", "token_difference_frame",
        ),
    ),
    "attention": (
        "Attention",
        "Captured after the fact, for what is asked.",
        (
            "attention", "AttentionMap", "Selection", "AttentionFacts", "top_attention",
            "TopAttention", "rollout", "Rollout", "head_overview", "HeadOverview",
            "HEAD_STATISTICS", "attention_flow", "flow_in", "Flow", "sinks_in", "Sinks",
            "without", "attention_difference", "AttentionDifference", "received", "Received",
            "leaning", "Leaning", "attenders", "attenders_in", "Attenders", "pair_grid",
            "PairGrid", "selected_attention", "SelectedAttention",
        ),
    ),
    "syntax": (
        "Syntax",
        "Figures folded onto the program's tree.",
        ("syntax_frame", "aggregate", "aggregate_difference", "icicle_frame"),
    ),
    "sessions": (
        "Sessions, links and the store",
        "A tree of branches, and how it is kept and passed on.",
        (
            "Session", "tree_frame", "trace_of", "cut_short", "Store", "share", "Shared",
            "session_file", "SessionFile",
        ),
    ),
    "errors": (
        "Errors",
        "All of them descend from `TokenScopeError`, and say what was asked, what was found and "
        "what to do.",
        tuple(sorted(name for name in ts.__all__ if name.endswith("Error"))),
    ),
}  # fmt: skip


def pages() -> dict[str, str]:
    """Markdown by the name of the page; `index` lists all names."""
    made = {
        page: f"# {title}\n\n{about}\n\n" + "\n".join(_entry(name) for name in names)
        for page, (title, about, names) in GROUPS.items()
    }
    rows = [
        f"| [{title}]({page}.md) | "
        + " ".join(f"[`{name}`]({page}.md#tokenscope_core.{name})" for name in names)
        + " |"
        for page, (title, _, names) in GROUPS.items()
    ]
    opening = (
        "`import tokenscope_core as ts` gives these names, and no others:\n\n| | |\n|---|---|\n"
    )
    made["index"] = "# API reference\n\n" + opening + "\n".join(rows)
    return made


def _entry(name: str) -> str:
    return f"::: tokenscope_core.{name}\n"
