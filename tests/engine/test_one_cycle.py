from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kecor.config import ScheduleConfig
from kecor.engine.one_cycle import one_cycle
from kecor.engine.train import train
from tests.engine.fakes import FakeDetector, make_samples, scalars, schedule

SCHEDULE = ScheduleConfig(epochs=1, lr=0.003)


def test_the_turning_points():
    assert one_cycle(0, 100, SCHEDULE) == pytest.approx((0.0003, 0.95))
    assert one_cycle(20, 100, SCHEDULE) == pytest.approx(((0.0003 + 0.003) / 2, 0.90))
    assert one_cycle(40, 100, SCHEDULE) == pytest.approx((0.003, 0.85))
    assert one_cycle(70, 100, SCHEDULE) == pytest.approx(((0.003 + 3e-8) / 2, 0.90))
    assert one_cycle(100, 100, SCHEDULE) == pytest.approx((3e-8, 0.95))


def test_it_follows_torchs_own_schedule():
    total = 2000
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.003, betas=(0.9, 0.99))
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.003, total, pct_start=0.4, div_factor=10, base_momentum=0.85, max_momentum=0.95
    )
    for step in range(total):
        rate, momentum = one_cycle(step, total, SCHEDULE)
        group = optimizer.param_groups[0]
        assert rate == pytest.approx(group["lr"], abs=0.003 * 2e-3)  # torch's phases end one step earlier
        assert momentum == pytest.approx(group["betas"][0], abs=2e-4)
        optimizer.step()
        if step < total - 1:
            reference.step()


@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_short_trainings_stay_between_the_ends(total):
    values = np.array([one_cycle(step, total, SCHEDULE) for step in range(total)])
    assert np.isfinite(values).all()
    assert (values[:, 0] <= 0.003).all()
    assert (values[:, 0] > 0).all()
    assert ((values[:, 1] >= 0.85) & (values[:, 1] <= 0.95)).all()


def test_the_optimizer_gets_these_values(tmp_path):
    train(FakeDetector(), make_samples(6), schedule(epochs=5), tmp_path, device="cpu", seed=0, progress=False)
    seen = scalars(tmp_path / "tensorboard")
    steps = np.arange(15)
    up, down = steps < 6, steps >= 6
    rate = np.where(
        up,
        0.001 + (0.01 - 0.001) * (1 - np.cos(math.pi * steps / 6)) / 2,
        1e-7 + (0.01 - 1e-7) * (1 + np.cos(math.pi * (steps - 6) / 9)) / 2,
    )
    momentum = np.where(up, 0.9 + 0.05 * np.cos(math.pi * steps / 6), 0.9 - 0.05 * np.cos(math.pi * (steps - 6) / 9))
    assert down.any()
    np.testing.assert_allclose(seen["lr"], rate, rtol=1e-6)
    np.testing.assert_allclose(seen["momentum"], momentum, rtol=1e-6)
