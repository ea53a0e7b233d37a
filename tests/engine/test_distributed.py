from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kecor.datasets.samples import collate
from kecor.engine.checkpoints import load_checkpoint
from kecor.engine.infer import predict
from kecor.engine.one_cycle import one_cycle
from tests.engine.fakes import FakeDetector, make_samples, same_weights, schedule, weights

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What two gloo processes trained and predicted, and where."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    script = str(ROOT / "tests" / "engine" / "two_processes.py")
    done = subprocess.run([*command, script, str(folder)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def test_ranks_end_with_the_same_weights_losses_and_detections(ranks):
    _, (first, second) = ranks
    assert same_weights(first["plain"], second["plain"])
    assert same_weights(first["noisy"], second["noisy"])  # batch norm's statistics included
    assert first["losses"] == second["losses"]
    assert list(first["boxes"]) == list(second["boxes"]) == [f"{i:06d}" for i in range(5)]
    assert same_weights(first["boxes"], second["boxes"])
    assert (first["shard"], second["shard"]) == ([0, 2, 4], [1, 3])
    assert first["from_main"] == second["from_main"] == 0
    assert first["raised"] == second["raised"] == "seen on rank 0"


def test_two_ranks_average_their_gradients(ranks):
    """A plain loop over both ranks' batches at once: rank r takes every second frame of the epoch's order."""
    plan, samples, detector = schedule(), make_samples(5), FakeDetector(noise=False)
    optimizer = torch.optim.AdamW(detector.parameters(), weight_decay=plan.weight_decay)
    step, losses = 0, []
    for epoch in range(plan.epochs):
        order = np.resize(np.random.default_rng([1, epoch]).permutation(5), 6).tolist()
        epoch_losses = []
        for start in range(0, 3, plan.batch_size):
            rate, momentum = one_cycle(step, plan.epochs * 2, plan)
            optimizer.param_groups[0].update(lr=rate, betas=(momentum, 0.99))
            optimizer.zero_grad()
            for rank in range(2):
                batch = collate([samples[epoch, i] for i in order[rank::2][start : start + plan.batch_size]])
                out = detector(mode="loss", **batch)
                loss = out["loss_centre"] + out["loss_size"]
                (loss / 2).backward()
                epoch_losses.append(loss.item())
            torch.nn.utils.clip_grad_norm_(detector.parameters(), plan.grad_clip)
            optimizer.step()
            step += 1
        losses.append(np.mean(epoch_losses))
    got = ranks[1][0]
    for name, tensor in weights(detector).items():
        torch.testing.assert_close(got["plain"][name], tensor, rtol=0, atol=1e-5)
    assert got["losses"] == pytest.approx(losses, rel=1e-4)


def test_the_checkpoint_predicts_the_same_in_one_process(ranks):
    folder, (first, _) = ranks
    detector = FakeDetector(seed=9)
    load_checkpoint(detector, folder / "noisy" / "checkpoint.pth")
    assert same_weights(weights(detector), first["noisy"])
    found = predict(detector, make_samples(5, training=False), device="cpu", batch_size=2, progress=None)
    for frame_id, one in found.items():
        np.testing.assert_allclose(one.boxes, first["boxes"][frame_id].numpy(), atol=1e-5)
    assert len(list((folder / "noisy" / "tensorboard").iterdir())) == 1
