"""Loaders: samples to batches, for training and for inference, in one process or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader

from kecor.datasets.epoch_sampler import EpochSampler
from kecor.datasets.samples import Samples, collate
from kecor.errors import KecorError


def training_loader(samples: Samples, batch_size: int, seed: int, steps: int | None = None) -> Loader:
    """Every frame once an epoch, in an order that is a function of (seed, epoch); the last batch may hold fewer.

    With ``steps`` an epoch is that many whole batches instead, whatever the number of frames.
    Its workers, and what they remember of the frames, last until it is closed.
    """
    sampler = EpochSampler(samples, seed, None if steps is None else steps * batch_size)
    return _loader(samples, batch_size, sampler=sampler, persistent_workers=samples.data.workers > 0)


def inference_loader(samples: Samples, batch_size: int, indices: Sequence[int]) -> Loader:
    """The samples at ``indices``, in that order."""
    return _loader(samples, batch_size, sampler=indices)


def _loader(samples: Samples, batch_size: int, **arguments: Any) -> Loader:
    return Loader(
        samples,
        batch_size=batch_size,
        collate_fn=collate,
        num_workers=samples.data.workers,
        generator=torch.Generator(),  # else each pass draws from the process's own generator
        **arguments,
    )


class Loader(DataLoader):
    """A DataLoader whose workers' :class:`KecorError` arrives as it was raised, without the worker's traceback."""

    def __iter__(self) -> Iterator[dict]:  # type: ignore[override]  # torch names its private iterator class
        try:
            yield from super().__iter__()
        except KecorError as error:
            kind = type(error)
            raise kind(str(error).rpartition(f"{kind.__module__}.{kind.__qualname__}: ")[2].strip()) from error

    def close(self) -> None:
        """End persistent workers now: as part of a reference cycle each would take the garbage collector seconds."""
        self._iterator = None
