"""What language a trace is read in, and how its tokens are spread over the parts of the code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenscope_core import Trace, aggregate
from tokenscope_core.caching import lru_cache
from tokenscope_core.display.scales import LogUnit, scale_of, to_screen
from tokenscope_core.record.metric_registry import BY_NAME
from tokenscope_core.syntax.counted import Counted, which_count
from tokenscope_core.syntax.folding.aggregation import Level
from tokenscope_core.syntax.folding.frames import Syntax, analyse
from tokenscope_core.syntax.folding.shares import shares
from tokenscope_ui.syntax_view.pieces import Cut, Kind, cut
from tokenscope_ui.trace.programs import program_of

KINDS: dict[Kind, str] = {
    "statement": "statements",
    "line": "lines",
    "function": "functions",
    "part": "parts as in the table",
}
# What is measured in the unit of the metric.
VALUES = ("mean", "ci_low", "ci_high", "median", "q25", "q75", "min", "max", "std")


@dataclass(frozen=True, slots=True)
class SyntaxLook:
    """What a person chose to see of a trace.

    `language` is that in which it is read; `kind` into which pieces the code is cut; `prompt`
    whether its tokens count.
    """

    metric: str
    level: Level
    language: str
    prompt: bool
    unit: LogUnit
    relative: bool
    invisibles: bool
    kind: Kind


def analysed(trace: Trace, language: str) -> Syntax:
    """A trace's text in pieces, read once."""
    return analyse(program_of(trace, language))


@lru_cache(maxsize=32)
def parts(trace: Trace, language: str, level: Level, metric: str, prompt: bool) -> pd.DataFrame:
    """The aggregate of a trace in stored units, the least sure part first; see `aggregate`."""
    table = aggregate(analysed(trace, language), level, metric, generated_only=not prompt)
    return _least_sure_first(table, metric)


@lru_cache(maxsize=32)
def pieces(
    trace: Trace, language: str, kind: Kind, level: Level, metric: str, prompt: bool
) -> pd.DataFrame:
    """The figures of each piece of a cut, in the order of its labels; NaN where nothing counts."""
    made = cut(analysed(trace, language), kind, level)
    if kind == "statement":
        table = aggregate(made.as_syntax(trace), "function", metric, generated_only=not prompt)
        return table.set_index("function").reindex(range(len(made.labels)))
    by: Level = level if kind == "part" else kind
    table = parts(trace, language, by, metric, prompt).set_index(by)
    return table.reindex(made.labels)


def counted(trace: Trace, look: SyntaxLook) -> Counted:
    """Which tokens count on the page: of a text in which nothing was generated, all."""
    return which_count(trace, "all" if look.prompt else "generated")


def shown_cut(trace: Trace, look: SyntaxLook) -> Cut:
    """The pieces that the code is shown in."""
    return cut(analysed(trace, look.language), look.kind, look.level)


def shown_pieces(trace: Trace, look: SyntaxLook) -> pd.DataFrame:
    """Their figures, in stored units."""
    return pieces(trace, look.language, look.kind, look.level, look.metric, look.prompt)


def shown_parts(trace: Trace, look: SyntaxLook) -> pd.DataFrame:
    """The aggregate that the table shows, in stored units."""
    return parts(trace, look.language, look.level, look.metric, look.prompt)


def in_screen_units(table: pd.DataFrame, metric: str, unit: LogUnit) -> pd.DataFrame:
    """A table of statistics with its values in the unit of the screen."""
    values = {name: to_screen(metric, table[name].to_numpy(float), unit) for name in VALUES}
    return table.assign(**values)


@lru_cache(maxsize=16)
def points(trace: Trace, language: str, level: Level, metric: str, which: Counted) -> pd.DataFrame:
    """The tokens behind the aggregate that have a value, one row a pair of token and part; see
    `shares`."""
    found = shares(analysed(trace, language), level, metric, which)
    return found.dropna(subset="value").reset_index(drop=True)


def least_sure_is_low(metric: str) -> bool:
    """Whether low values of a metric are the unsure ones."""
    return scale_of(metric, np.empty(0)).reverse


def _least_sure_first(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    order = table["mean"].to_numpy(float) * (1.0 if least_sure_is_low(metric) else -1.0)
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def mean_label(metric: str) -> str:
    """What the mean of a metric is called."""
    return f"mean {BY_NAME[metric].label}"
