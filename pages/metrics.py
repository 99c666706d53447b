"""What the numbers mean: every metric with its definition, unit and source."""

import pandas as pd
import streamlit as st

from tokenscope_core import METRICS
from tokenscope_core.metric_registry import INFLUENCE
from tokenscope_ui import job_notice
from tokenscope_ui.router import route


def render() -> None:
    job_notice.show()
    st.title("What the numbers mean")
    st.markdown(
        "p is the model’s own distribution over the whole vocabulary V before a token: softmax of "
        "the logits at temperature 1, no filter. y is the token taken there. Prompt tokens are "
        "measured exactly like generated ones; the first token of a text has no figures, because "
        "nothing precedes it. Files hold nats; the screen shows bits unless told otherwise "
        "(1 bit = ln 2 ≈ 0.693 nats)."
    )
    st.table(
        pd.DataFrame(
            [
                {
                    "metric": metric.label,
                    "column": metric.name,
                    "definition": metric.formula,
                    "unit": metric.unit,
                    "distribution": metric.distribution,
                    "what it says": metric.meaning,
                    "source": metric.source,
                }
                for metric in (*METRICS, INFLUENCE)
            ]
        ),
        hide_index=True,
    )
    st.markdown(
        "**Perplexity** of a span is exp(mean surprisal in nats) over the tokens of the span that "
        "have one.\n\n"
        "**Influence** is no column of a trace: it is measured on request, for generated tokens. "
        "The runner-up is the most probable recorded token other than y, and the rest is what was "
        "written after y.\n\n"
        "**Divergence** of two branches before an aligned token, with p and q the model’s "
        "distributions in the one and in the other: KL(p‖q) = Σ p ln(p / q) (Kullback and Leibler "
        "1951), and the Jensen-Shannon divergence ½ KL(p‖m) + ½ KL(q‖m) with m = (p + q) / 2, at "
        "most ln 2 nats, 1 bit (Lin 1991). Both over the whole vocabulary."
    )


route(render)
