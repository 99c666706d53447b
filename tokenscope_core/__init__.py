"""TokenScope's headless library: run a decoder model and see what it knew at every token.

    import tokenscope_core as ts

    lm = ts.load_model()
    trace = ts.generate(lm, ts.Request(prompt="def fib(n):\\n", max_new_tokens=64))
    ts.token_frame(trace)

What needs torch is imported when it is first used: opening and tabulating a saved trace does not.
`attention` here is the function; the package of that name is reached by importing from its modules.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tokenscope_core import export, session_file, share
from tokenscope_core.attention.difference import AttentionDifference, attention_difference
from tokenscope_core.attention.flow import Flow
from tokenscope_core.attention.flow_sums import flow_in
from tokenscope_core.attention.head_statistics import HEAD_STATISTICS
from tokenscope_core.attention.maps import AttentionMap, Rollout, TopAttention
from tokenscope_core.attention.on_demand import (
    attention,
    attention_flow,
    head_overview,
    rollout,
    top_attention,
)
from tokenscope_core.attention.overview import HeadOverview
from tokenscope_core.attention.selection import Selection
from tokenscope_core.attention.sinks import Sinks, sinks_in, without
from tokenscope_core.comparison import Comparison, compare
from tokenscope_core.comparison_tables import overview
from tokenscope_core.counterfactual import Influence, influence
from tokenscope_core.edits import Edit
from tokenscope_core.errors import (
    CapabilityError,
    ContextLengthError,
    ModelError,
    ModelFormatError,
    ModelNotAllowedError,
    ModelNotFoundError,
    ModelTooLargeError,
    OutOfMemoryError,
    QueueFullError,
    RecordError,
    RequestError,
    SelectionTooLargeError,
    SessionChangedError,
    ShareError,
    StoreFullError,
    StoreUnusableError,
    TokenScopeError,
)
from tokenscope_core.interchange.answer_import import import_answer, import_openai_logprobs
from tokenscope_core.interchange.answer_trace import Imported
from tokenscope_core.metric_registry import METRICS, Metric
from tokenscope_core.model_choice import ModelChoice
from tokenscope_core.model_comparison import ModelComparison, compare_models
from tokenscope_core.model_comparison_tables import (
    line_frame,
    span_frame,
    summary_frame,
    token_difference_frame,
)
from tokenscope_core.request import Message, Request, Sampling
from tokenscope_core.session import Session
from tokenscope_core.session_file import SessionFile
from tokenscope_core.session_tables import tree_frame
from tokenscope_core.share_format import Shared
from tokenscope_core.steps import TokenStep
from tokenscope_core.store import Store
from tokenscope_core.syntax.aggregation import aggregate
from tokenscope_core.syntax.differences import aggregate_difference
from tokenscope_core.syntax.frames import syntax_frame
from tokenscope_core.syntax.icicle import icicle_frame
from tokenscope_core.tables import candidate_frame, token_frame
from tokenscope_core.trace import ModelIdentity, Trace

if TYPE_CHECKING:
    from tokenscope_core.attention.layers import AttentionFacts
    from tokenscope_core.branching import explore, fork
    from tokenscope_core.decoding import generate, score, stream
    from tokenscope_core.models import Capabilities, LanguageModel, load_model
    from tokenscope_core.replay import apply_edit
    from tokenscope_core.session_traces import cut_short, trace_of

_NEEDS_TORCH = {
    "AttentionFacts": "attention.layers",
    "explore": "branching",
    "fork": "branching",
    "generate": "decoding",
    "score": "decoding",
    "stream": "decoding",
    "Capabilities": "models",
    "LanguageModel": "models",
    "load_model": "models",
    "trace_of": "session_traces",
    "cut_short": "session_traces",
    "apply_edit": "replay",
}

__all__ = [
    "HEAD_STATISTICS",
    "METRICS",
    "AttentionDifference",
    "AttentionFacts",
    "AttentionMap",
    "Capabilities",
    "CapabilityError",
    "Comparison",
    "ContextLengthError",
    "Edit",
    "Flow",
    "HeadOverview",
    "Imported",
    "Influence",
    "LanguageModel",
    "Message",
    "Metric",
    "ModelChoice",
    "ModelComparison",
    "ModelError",
    "ModelFormatError",
    "ModelIdentity",
    "ModelNotAllowedError",
    "ModelNotFoundError",
    "ModelTooLargeError",
    "OutOfMemoryError",
    "QueueFullError",
    "RecordError",
    "Request",
    "RequestError",
    "Rollout",
    "Sampling",
    "Selection",
    "SelectionTooLargeError",
    "Session",
    "SessionChangedError",
    "SessionFile",
    "ShareError",
    "Shared",
    "Sinks",
    "Store",
    "StoreFullError",
    "StoreUnusableError",
    "TokenScopeError",
    "TokenStep",
    "TopAttention",
    "Trace",
    "aggregate",
    "aggregate_difference",
    "apply_edit",
    "attention",
    "attention_difference",
    "attention_flow",
    "candidate_frame",
    "compare",
    "compare_models",
    "cut_short",
    "explore",
    "export",
    "flow_in",
    "fork",
    "generate",
    "head_overview",
    "icicle_frame",
    "import_answer",
    "import_openai_logprobs",
    "influence",
    "line_frame",
    "load_model",
    "overview",
    "rollout",
    "score",
    "session_file",
    "share",
    "sinks_in",
    "span_frame",
    "stream",
    "summary_frame",
    "syntax_frame",
    "token_difference_frame",
    "token_frame",
    "top_attention",
    "trace_of",
    "tree_frame",
    "without",
]


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)


def __dir__() -> list[str]:
    return __all__
