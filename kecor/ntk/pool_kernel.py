"""The kernel between a pool and the frames observed so far, of which no more is computed than is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from kecor.errors import SelectionError
from kecor.ntk.kernels import Kernel, Representation
from kecor.ntk.roi_frames import RoiFrames

BLOCK_BYTES = 1 << 27
"""Representations of pool frames that are compared at once."""
KEPT_BYTES = 1 << 28
"""Representations of pool frames that are kept, of those asked for again."""


class PoolKernel:
    """The kernel between the N frames of a pool and those observed: the L labelled frames and then the picks.

    The pool's frames are read and represented as they are asked for; of those asked for again, after a first look at
    all, the last ones are kept. Frames stand in the order of their ids; all numbers are float64, and such that the mean
    of the labelled frames' diagonal is 1.

    Args:
        kernel: how frames are represented and compared.
        pool: the N frames.
        labelled: the L frames, at least one.
        precision: ``bfloat16`` represents frames with matrix products that read bfloat16 and add up in float32, and
            rounds what comes out likewise; with anything else the frames' own type is used throughout.
        normalise: divide each frame's representation by its length first, so that what counts is how a frame differs
            from others and not how large its gradient is, which grows with the number of objects in it.

    Attributes:
        known: (L, L) kernel between the labelled frames.
        scale: mean of the labelled frames' diagonal before any division.

    Raises:
        SelectionError: there is no labelled frame, or the mean of their diagonal is zero or not finite.
    """

    def __init__(
        self,
        kernel: Kernel,
        pool: RoiFrames,
        labelled: RoiFrames,
        precision: str = "float32",
        normalise: bool = True,
    ) -> None:
        self.kernel, self.pool, self.precision = kernel, pool, precision
        if not len(labelled):
            raise SelectionError("there is no labelled frame to scale the kernel by")
        parts = [self._look(labelled, chunk) for chunk in labelled.chunks(np.arange(len(labelled)))]
        first = tuple(self._rounded(torch.cat(columns)).to(columns[0]) for columns in zip(*parts))
        self._observed = [_Rows(part) for part in first]
        diagonal = kernel.diagonal(first).cpu().numpy()
        self.scale = float(diagonal.mean())
        if not np.isfinite(self.scale) or self.scale <= 0:
            raise SelectionError(f"the kernel's mean diagonal on the labelled frames is {self.scale}")
        self._common = None if normalise else np.sqrt(self.scale)
        self._unit = np.sqrt((diagonal > 0).mean())  # frames without RoIs stay at zero
        self._observed_lengths, self._pool_lengths = self._lengths(diagonal), np.zeros(len(pool))
        with matmul_precision(precision):
            gram = kernel.gram(first, first).cpu().numpy()
        np.fill_diagonal(gram, diagonal)
        self.known = gram / np.outer(self._observed_lengths, self._observed_lengths)
        width = sum(part.shape[1] * part.element_size() for part in first)
        at_once = len(next(pool.chunks(np.arange(max(1, len(pool))))))
        self._block = at_once if pool.n_rois == 1 else max(at_once, BLOCK_BYTES // max(1, width))
        self._scratch = [part.new_empty(min(self._block, max(1, len(pool))), part.shape[1]) for part in first]
        self._kept: OrderedDict[int, Representation] = OrderedDict()
        self._most_kept = max(1, KEPT_BYTES // max(1, width))

    def __len__(self) -> int:
        return len(self.pool)

    def scan(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """All frames in parts: positions (n,), kernel with themselves (n,) and with the labelled frames (n, L).

        Raises:
            SelectionError: a value is not finite; names the frame.
        """
        for start in range(0, len(self), self._block):
            positions = np.arange(start, min(start + self._block, len(self)))
            rep, diagonal = self._represent(positions)
            self._pool_lengths[positions] = lengths = self._lengths(diagonal)
            cross = self._gram(positions, rep, 0, self.precision)
            yield positions, self._checked(diagonal / lengths**2, positions), self._checked(cross, positions)

    def cross(self, positions: np.ndarray, since: int) -> np.ndarray:
        """(n, m) kernel of frames with the observed ones but for the first ``since``, after the first look at all.

        Args:
            positions: (n,) in the pool, n no more than a part of :meth:`scan` has.
            since: how many of the observed frames to leave out.
        """
        return self._gram(positions, self._recall(positions), since, "float32")

    def condition_on(self, position: int) -> None:
        """Add the frame at ``position`` to the observed ones."""
        for store, part in zip(self._observed, self._recall(np.array([position]))):
            store.append(part)
        self._observed_lengths = np.append(self._observed_lengths, self._pool_lengths[position])

    def _look(self, frames: RoiFrames, chunk: np.ndarray) -> Representation:
        with matmul_precision(self.precision):
            return self.kernel.represent(*frames.read(chunk))

    def _rounded(self, part: Tensor) -> Tensor:
        """``part`` with its values rounded as products in this precision read them."""
        return part.bfloat16() if self.precision == "bfloat16" else part

    def _lengths(self, diagonal: np.ndarray) -> np.ndarray:
        """What frames' representations are divided by, given their kernel with themselves."""
        if self._common is not None:
            return np.full(len(diagonal), self._common)
        return np.where(diagonal > 0, np.sqrt(diagonal), 1.0) * self._unit

    def _gram(self, positions: np.ndarray, rep: Representation, since: int, precision: str) -> np.ndarray:
        observed = tuple(store.rows()[since:] for store in self._observed)
        lengths = np.outer(self._pool_lengths[positions], self._observed_lengths[since:])
        with matmul_precision(precision):
            return self.kernel.gram(rep, observed).cpu().numpy() / lengths

    def _checked(self, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
        bad = ~np.isfinite(values.reshape(len(positions), -1)).all(1)
        if bad.any():
            self.pool.check(positions[bad])
            frame = self.pool.ids[self.pool.order[positions[bad][0]]]
            raise SelectionError(f"frame {str(frame)!r}: its kernel is not finite")
        return values

    def _represent(self, positions: np.ndarray) -> tuple[Representation, np.ndarray]:
        """Representations, good until the next call, and the frames' kernel with themselves."""
        chunks, done, diagonal = list(self.pool.chunks(positions)), 0, []
        for chunk in chunks:
            rep = self._look(self.pool, chunk)
            if len(chunks) == 1:
                rep = tuple(self._rounded(part).to(part) for part in rep)
            else:
                room = tuple(scratch[done : done + len(chunk)] for scratch in self._scratch)
                rep = tuple(place.copy_(self._rounded(part)) for place, part in zip(room, rep))
            diagonal.append(self.kernel.diagonal(rep))
            done += len(chunk)
        if len(chunks) > 1:
            rep = tuple(scratch[:done] for scratch in self._scratch)
        return rep, torch.cat(diagonal).cpu().numpy()

    def _recall(self, positions: np.ndarray) -> Representation:
        """Representations, the kept ones as they are kept, the others computed and kept."""
        missing = np.array([i for i in positions if int(i) not in self._kept], np.int64)
        for chunk in self.pool.chunks(missing):
            for i, *row in zip(chunk, *self._look(self.pool, chunk)):
                self._kept[int(i)] = tuple(self._rounded(part).to(part, copy=True) for part in row)
        for i in positions:
            self._kept.move_to_end(int(i))
        rep = tuple(torch.stack(column) for column in zip(*(self._kept[int(i)] for i in positions)))
        while len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)
        return rep


class _Rows:
    """A tensor (n, P) that grows by rows without being copied each time."""

    def __init__(self, rows: Tensor) -> None:
        self.data, self.count = rows, len(rows)

    def rows(self) -> Tensor:
        return self.data[: self.count]

    def append(self, rows: Tensor) -> None:
        if self.count + len(rows) > len(self.data):
            room = torch.empty_like(self.data[:1]).expand(max(16, self.count // 2), -1)
            self.data = torch.cat([self.rows(), room])
        self.data[self.count : self.count + len(rows)] = rows
        self.count += len(rows)


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Within it, products of float32 matrices read their factors as ``precision``: ``bfloat16``, else in full.

    They add up in float32 either way. A processor without bfloat16 units computes in full.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if precision == "bfloat16" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
