"""The order of a training epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler


class EpochSampler(Sampler):
    """Yields ``(epoch, index)`` in a random order that is a function of ``seed`` and epoch alone.

    Over several processes each takes every ``world_size``-th; the order is continued from its start until
    all have the same number.

    Args:
        samples: whatever has a length.
        seed: not negative; the same in all processes.
        rank, world_size: this process and their number; by default those of the process group, if there is one.
    """

    def __init__(self, samples: Sized, seed: int = 0, rank: int | None = None, world_size: int | None = None) -> None:
        present_rank, present_size = get_dist_info()
        self.size = len(samples)
        self.seed = seed
        self.rank = present_rank if rank is None else rank
        self.world_size = present_size if world_size is None else world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch the next iteration is of, from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.size // self.world_size)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        padded = np.resize(order, len(self) * self.world_size)
        return iter([(self.epoch, index) for index in padded[self.rank :: self.world_size].tolist()])
