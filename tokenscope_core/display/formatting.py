"""Numbers and token bytes as people read them. Plain text only: nothing here makes markup."""

from __future__ import annotations

import math

import numpy as np

from tokenscope_core.display.scales import LogUnit, screen_unit
from tokenscope_core.record.metric_registry import NATS_PER_BIT, metric_named
from tokenscope_core.record.trace import Trace
from tokenscope_core.record.trace_columns import ModelIdentity

NOT_AVAILABLE = "not available"
ABLE, UNABLE = "can still become valid", "cannot become valid"
FINISH_WORDS = {
    "length": "reached the number of new tokens",
    "eos": "the model ended the text",
    "stop": "a stop string or stop token came up",
    "cancelled": "stopped before its end",
    "filtered": "the engine's filter ended it",
    "unknown": "the engine does not say why it ended",
}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def moment_words(moment: str) -> str:
    """A request's moment: the date, and the time where the request has one."""
    return moment.replace("T", " at ")


def rounding_note(model: ModelIdentity, unit: LogUnit = "bits") -> str | None:
    """How well the figures of a model repeat, where that can be seen."""
    if model.rounding is None:
        return None
    in_unit = 1 / NATS_PER_BIT if unit == "bits" else 1.0
    mean, most = (f"{value * in_unit:.2g}" for value in (model.rounding.mean, model.rounding.most))
    return (
        f"In the precision that “{model.name}” runs in, log-probabilities repeat to {mean} {unit} "
        f"on average and {most} at most: so far apart was one text read whole and in pieces when "
        "the model was loaded. Smaller differences mean nothing."
    )


def metric_text(name: str, value: float, unit: LogUnit = "bits") -> str:
    """A stored value with its unit, as a screen shows it; `value` already in screen units."""
    if math.isnan(value):
        return NOT_AVAILABLE
    metric = metric_named(name)
    if metric.unit == "probability":
        return probability_text(value)
    if metric.unit == "rank":
        return "∞" if math.isinf(value) else f"{int(value):,}"
    if metric.unit == "tokens":
        return count_text(int(value), "token")
    if metric.unit == "ms":
        return f"{value:.1f} ms"
    if metric.unit == "ratio" and 0 < value < 0.0005:
        return power_text(value)
    suffix = screen_unit(metric, unit)
    # Rounding may leave a minus sign before a zero, which would be a claim about its sign.
    number = f"{value:.3f}" if float(f"{value:.3f}") else "0.000"
    return f"{number.replace('inf', '∞')} {suffix}".rstrip().replace("-", "−")


def difference_text(name: str, difference: float, unit: LogUnit = "bits") -> str:
    """A difference of two values of a metric in screen units, with its sign; that of probabilities
    in percentage points."""
    if math.isnan(difference):
        return NOT_AVAILABLE
    kind = metric_named(name).unit
    if kind == "probability":
        points = 100 * difference
        small = 0.001 <= abs(points) < 1
        digits = f"{points:+.2g}" if small else f"{points:+.2f}"
        suffix = "points"
    elif kind in ("rank", "tokens"):
        digits, suffix = f"{difference:+,.0f}", screen_unit(metric_named(name))
    elif kind == "ms":
        digits, suffix = f"{difference:+.1f}", "ms"
    else:
        digits, suffix = f"{difference:+.3f}", screen_unit(metric_named(name), unit)
    # A sign before a zero would be a claim about its sign.
    number = digits if float(digits.replace(",", "")) else digits[1:]
    return f"{number.replace('inf', '∞')} {suffix}".rstrip().replace("-", "−")


def probability_text(value: float) -> str:
    """A probability in per cent, with enough digits to tell small ones from zero."""
    if math.isnan(value):
        return NOT_AVAILABLE
    percent = 100 * value
    if percent >= 99.995 and value < 1:
        return ">99.99 %"
    if percent >= 1:
        return f"{percent:.2f} %"
    if percent == 0:
        return "0 %"
    return f"{percent:.2g} %" if percent >= 1e-4 else f"{power_text(percent)} %"


def power_text(value: float) -> str:
    """A number far below 1 as a person writes it: `5.6 × 10⁻⁷`."""
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits.replace('-', '−')} × 10{str(int(exponent)).translate(_RAISED)}"


def duration_text(seconds: float) -> str:
    """A duration as a person would say it."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def time_words(trace: Trace) -> str:
    """How long the tokens of a trace took to be drawn, in all and on average: a clause."""
    known = np.flatnonzero(~np.isnan(trace.elapsed_ms))
    if not len(known):
        return "not recorded for any of its tokens"
    steps = trace.elapsed_ms[known]
    total = float(steps.sum())
    whole = f"{total / 1000:.2f} s" if total >= 1000 else f"{total:.0f} ms"
    # What a branch shares with the run it grew on was drawn there, and took what it took then.
    before = 0 if trace.branch is None else int((known < trace.branch[1].position).sum())
    shared = f", {before:,} of them in the run that it branched off" if before else ""
    return (
        f"{whole} for the {count_text(len(known), 'token')} drawn{shared}, {steps.mean():.1f} ms "
        "each on average; reading the prompt is not in it"
    )


def count_text(number: int, noun: str) -> str:
    """`1 token`, `2 tokens`, `1,024 tokens`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def unescaped_or_none(text: str) -> str | None:
    """Text with the escapes that Python knows (\\n, \\t, \\u1234) resolved; None where one means
    nothing."""
    try:
        return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    except UnicodeDecodeError:
        return None


def branches_text(number: int) -> str:
    """`1 branch`, `2 branches`."""
    return f"{number:,} branch{'' if number == 1 else 'es'}"
