"""The learning rate, planned by the clock: warm up, hold, then fall to zero when time is up.

Warmup-stable-decay (arXiv:2404.06395) with a linear end. Time, not steps, is what a shared
machine promises, so `progress` is the share of the minutes used and the fall always completes.
"""

from __future__ import annotations


def learning_rate_factor(
    step: int, progress: float, warmup_steps: int, decay_share: float
) -> float:
    """Factor in [0, 1] on the peak learning rate.

    `progress`: share of the run's time that is over; the last `decay_share` of it is the fall.
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    left = max(0.0, 1.0 - progress)
    return min(warm, left / decay_share) if decay_share else warm
