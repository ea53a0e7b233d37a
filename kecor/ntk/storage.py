"""Storage of frame representations: rows that grow, a bounded cache, and the precision of matrix products."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

Row = tuple[Tensor, ...]
"""The representation of one frame: tensors (P,)."""


class GrowingRows:
    """A tensor (n, P) to which rows are appended in amortised constant time."""

    def __init__(self, rows: Tensor) -> None:
        self.data, self.count = rows, len(rows)

    def rows(self) -> Tensor:
        return self.data[: self.count]

    def append(self, rows: Tensor) -> None:
        if self.count + len(rows) > len(self.data):
            spare = torch.empty_like(self.data[:1]).expand(max(16, self.count // 2), -1)
            self.data = torch.cat([self.rows(), spare])
        self.data[self.count : self.count + len(rows)] = rows
        self.count += len(rows)


class RowCache:
    """The representations of the most recently used frames, at most ``capacity`` of them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._rows: OrderedDict[int, Row] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def missing(self, positions: np.ndarray) -> np.ndarray:
        """Those of ``positions`` that are not in the cache."""
        return np.array([i for i in positions if int(i) not in self._rows], np.int64)

    def add(self, positions: Iterable[int], rows: Iterable[Row]) -> None:
        """Store rows; :meth:`take` drops the ones beyond the capacity."""
        self._rows.update((int(i), row) for i, row in zip(positions, rows))

    def take(self, positions: np.ndarray) -> tuple[Tensor, ...]:
        """The rows at ``positions``, stacked; all must be cached. Drops the least recently used ones afterwards."""
        for i in positions:
            self._rows.move_to_end(int(i))
        stacked = tuple(torch.stack(column) for column in zip(*(self._rows[int(i)] for i in positions)))
        while len(self._rows) > self.capacity:
            self._rows.popitem(last=False)
        return stacked


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Context in which products of float32 matrices read their factors as bfloat16 (``bfloat16``) or in full.

    Sums are float32 in both cases. A CPU without bfloat16 units computes in full.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if precision == "bfloat16" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
