"""TokenScope's headless library: run a decoder model and see what it knew at every token.

    import tokenscope_core as ts

    lm = ts.load_model()
    trace = ts.generate(lm, ts.Request(prompt="def fib(n):\\n", max_new_tokens=64))
    ts.token_frame(trace)

`ts.__version__` is the release. What needs torch is imported when it is first used: opening and
tabulating a saved trace does not.
`attention` here is the function; the package of that name is reached by importing from its modules.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tokenscope_core import export
from tokenscope_core.attention.capturing.maps import AttentionMap, Rollout, TopAttention
from tokenscope_core.attention.capturing.selection import Selection
from tokenscope_core.attention.difference import AttentionDifference, attention_difference
from tokenscope_core.attention.flow.flow import Flow
from tokenscope_core.attention.flow.sums import flow_in
from tokenscope_core.attention.heads.overview import HeadOverview
from tokenscope_core.attention.heads.sinks import Sinks, sinks_in, without
from tokenscope_core.attention.heads.statistics import HEAD_STATISTICS
from tokenscope_core.attention.on_demand import (
    attention,
    attention_flow,
    head_overview,
    rollout,
    top_attention,
)
from tokenscope_core.attention.tokens.attenders import Attenders, attenders_in
from tokenscope_core.attention.tokens.leaning import Leaning, leaning
from tokenscope_core.attention.tokens.pairs import PairGrid, pair_grid
from tokenscope_core.attention.tokens.received import Received
from tokenscope_core.attention.tokens.selected import SelectedAttention, selected_attention
from tokenscope_core.attention.tokens.tasks import attenders, received
from tokenscope_core.branches.hindsight import Hindsight, hindsight
from tokenscope_core.branches.influence import Influence, influence
from tokenscope_core.comparison.comparison import Comparison, compare
from tokenscope_core.comparison.model_comparison import ModelComparison, compare_models
from tokenscope_core.comparison.model_tables import (
    line_frame,
    span_frame,
    summary_frame,
    token_difference_frame,
)
from tokenscope_core.comparison.tables import overview
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
from tokenscope_core.models.files.choice import ModelChoice
from tokenscope_core.notebook import register as _show_as_html
from tokenscope_core.record.conversation import Message, TemplateOptions
from tokenscope_core.record.edits import Edit
from tokenscope_core.record.metric_registry import METRICS, Metric
from tokenscope_core.record.request import Request, Sampling
from tokenscope_core.record.steps import TokenStep
from tokenscope_core.record.tables import candidate_frame, token_frame
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.trace_columns import ModelIdentity
from tokenscope_core.sessions.session import Session
from tokenscope_core.sessions.tables import tree_frame
from tokenscope_core.sharing import links as share
from tokenscope_core.sharing import session_file
from tokenscope_core.sharing.format import Shared
from tokenscope_core.sharing.session_file import SessionFile
from tokenscope_core.store.store import Store
from tokenscope_core.syntax.folding.aggregation import aggregate
from tokenscope_core.syntax.folding.differences import aggregate_difference
from tokenscope_core.syntax.folding.frames import syntax_frame
from tokenscope_core.syntax.folding.icicle import icicle_frame

if TYPE_CHECKING:
    from tokenscope_core.branches.extending import extend
    from tokenscope_core.branches.growing import explore, fork
    from tokenscope_core.branches.replay import apply_edit
    from tokenscope_core.decoding.request_run import generate, score, stream
    from tokenscope_core.models.attention_layers import AttentionFacts
    from tokenscope_core.models.language_model import Capabilities, LanguageModel, load_model
    from tokenscope_core.sessions.traces import cut_short, trace_of

__version__ = "0.1.0"

_show_as_html()

_NEEDS_TORCH = {
    "AttentionFacts": "models.attention_layers",
    "explore": "branches.growing",
    "extend": "branches.extending",
    "fork": "branches.growing",
    "generate": "decoding.request_run",
    "score": "decoding.request_run",
    "stream": "decoding.request_run",
    "Capabilities": "models.language_model",
    "LanguageModel": "models.language_model",
    "load_model": "models.language_model",
    "trace_of": "sessions.traces",
    "cut_short": "sessions.traces",
    "apply_edit": "branches.replay",
}

__all__ = [
    "HEAD_STATISTICS",
    "METRICS",
    "Attenders",
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
    "Hindsight",
    "Imported",
    "Influence",
    "LanguageModel",
    "Leaning",
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
    "PairGrid",
    "QueueFullError",
    "Received",
    "RecordError",
    "Request",
    "RequestError",
    "Rollout",
    "Sampling",
    "SelectedAttention",
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
    "TemplateOptions",
    "TokenScopeError",
    "TokenStep",
    "TopAttention",
    "Trace",
    "__version__",
    "aggregate",
    "aggregate_difference",
    "apply_edit",
    "attenders",
    "attenders_in",
    "attention",
    "attention_difference",
    "attention_flow",
    "candidate_frame",
    "compare",
    "compare_models",
    "cut_short",
    "explore",
    "export",
    "extend",
    "flow_in",
    "fork",
    "generate",
    "head_overview",
    "hindsight",
    "icicle_frame",
    "import_answer",
    "import_openai_logprobs",
    "influence",
    "leaning",
    "line_frame",
    "load_model",
    "overview",
    "pair_grid",
    "received",
    "rollout",
    "score",
    "selected_attention",
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
