"""What the numbers mean: every metric with its definition, unit and source."""

import pandas as pd
import streamlit as st

from tokenscope_core import METRICS
from tokenscope_core.attention.heads.statistics import HEAD_STATISTICS
from tokenscope_core.record.further_measures import ATTENTION, FIGURES, paragraphs
from tokenscope_core.record.metric_registry import ON_REQUEST
from tokenscope_ui.runs import job_notice
from tokenscope_ui.shell.router import route


def render() -> None:
    job_notice.show_job_notice()
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
                for metric in (*METRICS, *ON_REQUEST)
            ]
        ),
        hide_index=True,
    )
    st.markdown(paragraphs(FIGURES))
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
    st.markdown(paragraphs(ATTENTION))


route(render)
