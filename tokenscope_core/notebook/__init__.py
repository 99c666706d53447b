"""Values as a notebook shows them: HTML that loads nothing, in the colours of the notebook.

A value is low and its rendering is high, so no value imports this: `register` tells them.
"""

from __future__ import annotations

from tokenscope_core.attention.capturing.maps import AttentionMap
from tokenscope_core.comparison.comparison import Comparison
from tokenscope_core.notebook.attention import attention_html
from tokenscope_core.notebook.sessions import session_html
from tokenscope_core.notebook.traces import comparison_html, trace_html
from tokenscope_core.record.trace import Trace
from tokenscope_core.sessions.session import Session


def register() -> None:
    """Have traces, sessions, comparisons and attention maps show themselves as HTML."""
    Trace.shown_by(trace_html)
    Session.shown_by(session_html)
    Comparison.shown_by(comparison_html)
    AttentionMap.shown_by(attention_html)
