"""The order of a training epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler


class EpochSampler(Sampler):
    """Yields ``(pass, index)`` in a random order that is a function of ``seed`` and pass alone.

    A pass visits every sample once. By default an epoch is one pass; over several processes each takes every
    ``world_size``-th sample, and the order is continued from its start until all have the same number. With ``draws``
    an epoch is that many samples a process, and passes follow one another across epochs.

    Args:
        samples: whatever has a length.
        seed: not negative; the same in all processes.
        draws: samples of an epoch in each process; None for one pass over all processes.
        rank, world_size: this process and their number; by default those of the process group, if there is one.
    """

    def __init__(
        self,
        samples: Sized,
        seed: int = 0,
        draws: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        present_rank, present_size = get_dist_info()
        self.size = len(samples)
        self.seed = seed
        self.draws = draws
        self.rank = present_rank if rank is None else rank
        self.world_size = present_size if world_size is None else world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch the next iteration is of, from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.size // self.world_size) if self.draws is None else self.draws

    def __iter__(self) -> Iterator[tuple[int, int]]:
        total = len(self) * self.world_size
        if self.draws is None:
            drawn = [(self.epoch, index) for index in np.resize(self._order(self.epoch), total).tolist()]
        else:
            first, last = self.epoch * total, (self.epoch + 1) * total
            passes = range(first // self.size, -(-last // self.size))
            drawn = [(number, index) for number in passes for index in self._order(number).tolist()]
            drawn = drawn[first - passes.start * self.size :][:total]
        return iter(drawn[self.rank :: self.world_size])

    def _order(self, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, number]).permutation(self.size)
