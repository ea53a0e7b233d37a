"""What each of two processes does in ``test_distributed.py``; started by torchrun with the output folder."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from kecor.engine import launch
from kecor.engine.infer import predict
from kecor.engine.train import train
from kecor.errors import DataError
from tests.engine.fakes import FakeDetector, make_samples, schedule, weights

folder = Path(sys.argv[1])
plain = FakeDetector(noise=False)
result = train(
    plain, make_samples(5), schedule(), folder / "plain", device="cpu", seed=1, launcher="pytorch", progress=False
)
noisy = FakeDetector()
train(noisy, make_samples(5), schedule(), folder / "noisy", device="cpu", seed=1, launcher="pytorch", progress=False)
found = predict(noisy, make_samples(5, training=False), device="cpu", batch_size=2, progress=None)


def fail() -> None:
    raise DataError("seen on rank 0")


try:
    launch.first_on_main(fail)
except DataError as error:
    raised = str(error)
torch.save(
    {
        "plain": weights(plain),
        "noisy": weights(noisy),
        "losses": result.losses,
        "boxes": {frame_id: torch.from_numpy(one.boxes) for frame_id, one in found.items()},
        "shard": launch.shard(range(5)),
        "from_main": launch.first_on_main(launch.rank),
        "raised": raised,
    },
    folder / f"rank{launch.rank()}.pt",
)
launch.leave()
