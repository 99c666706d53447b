"""What the numbers mean: every metric with its definition, unit and source."""

import pandas as pd
import streamlit as st

from tokenscope_core import METRICS
from tokenscope_core.attention.heads.statistics import HEAD_STATISTICS
from tokenscope_core.record.metric_registry import INFLUENCE
from tokenscope_ui.runs import job_notice
from tokenscope_ui.shell.router import route


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
    attention()


def attention() -> None:
    st.header("Attention heads")
    st.markdown(
        "a(i, j) is the weight with which the query at position i attends to the key at position "
        "j ≤ i, x(i) the token at position i, m(i) = Σ a(i, j) over j, which is 1 but for heads "
        "that may attend to nothing, and p(i, j) = a(i, j) / m(i). A statistic is the mean of its "
        "formula over the rows named; position 0, which can only attend to itself, is no row of "
        "any. With masked sinks a is what is left, brought to the same sum."
    )
    st.table(
        pd.DataFrame(
            [
                {
                    "statistic": statistic.label,
                    "definition": statistic.formula,
                    "unit": statistic.unit,
                    "rows": statistic.rows,
                    "what it says": statistic.meaning,
                    "source": statistic.source,
                }
                for statistic in HEAD_STATISTICS
            ]
        ),
        hide_index=True,
    )
    st.markdown(
        "**Sink**: a position to which heads attend whatever the query (Xiao et al. 2023, "
        "arXiv:2309.17453). The first token, and each to which a tenth of the heads give more than "
        "30 % of the attention of all later rows (Gu et al. 2024, arXiv:2410.10781).\n\n"
        "**Weighted by value norms**: ‖a(i, j) f(x(j))‖ as a share of the row, f being what the "
        "head makes of the token (Kobayashi et al. 2020, arXiv:2004.10102).\n\n"
        "**Rollout**: per layer the mean over heads, half of it the position’s own for the "
        "residual, each row brought to a sum of 1; multiplied from the first layer up (Abnar and "
        "Zuidema 2020, arXiv:2005.00928).\n\n"
        "**Flow** between parts of a program: of the attention of a token in the one, the share "
        "that goes to tokens in the other, mean over its rows; beside it what attention spread "
        "evenly over all a row can see would give. Their ratio says something of the head.\n\n"
        "**Distance** of two rows: the root of their Jensen-Shannon divergence in bits, 0 the "
        "same, 1 nothing in common (Endres and Schindelin 2003)."
    )


route(render)
