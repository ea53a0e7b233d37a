"""The one-cycle schedule (Smith 2018), with cosine phases."""

from __future__ import annotations

import math

from mmengine.hooks import Hook
from mmengine.runner import Runner

from kecor.config import ScheduleConfig

FINAL_DIV_FACTOR = 1e4
"""The rate ends at its start value divided by this."""


def one_cycle(step: int, total: int, schedule: ScheduleConfig) -> tuple[float, float]:
    """(learning rate, momentum) at iteration ``step`` of ``total``.

    Over the first ``pct_start`` of the iterations the rate rises from ``lr / div_factor`` to ``lr`` while the momentum
    falls from ``momentum_high`` to ``momentum_low``; then the rate falls to ``lr / div_factor / 1e4`` and the momentum
    rises back. Both follow half a cosine in each phase.
    """
    start = schedule.lr / schedule.div_factor
    peak = int(total * schedule.pct_start)
    if step < peak:
        part = step / peak
        return _cosine(start, schedule.lr, part), _cosine(schedule.momentum_high, schedule.momentum_low, part)
    part = (step - peak) / (total - peak)
    rate = _cosine(schedule.lr, start / FINAL_DIV_FACTOR, part)
    return rate, _cosine(schedule.momentum_low, schedule.momentum_high, part)


def _cosine(first: float, last: float, part: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * part)) / 2


class OneCycleHook(Hook):
    """Set rate and momentum (Adam's first beta) before each iteration.

    They depend on the iteration alone, so a resumed training needs no scheduler state.
    """

    def __init__(self, schedule: ScheduleConfig) -> None:
        self.schedule = schedule

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        rate, momentum = one_cycle(runner.iter, runner.max_iters, self.schedule)
        for group in runner.optim_wrapper.param_groups:
            group["lr"] = rate
            group["betas"] = (momentum, group["betas"][1])
