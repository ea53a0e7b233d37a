"""The kernel between a pool and a growing set of frames, evaluated on demand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kecor.errors import SelectionError
from kecor.ntk.kernels import Kernel, Representation
from kecor.ntk.roi_frames import RoiFrames
from kecor.ntk.storage import GrowingRows, RowCache, matmul_precision

BLOCK_BYTES = 1 << 27
"""Size of the pool representations that one step of the scan compares with the labelled frames."""
CACHE_BYTES = 1 << 28
"""Size of the pool representations that are kept for reuse after the scan."""


class PoolKernel:
    """The kernel between the N frames of a pool and the conditioning set: the L labelled frames, then the picks.

    Implements :class:`~kecor.coding_rate.CandidateKernel`. Pool frames are read and represented on demand. One
    :meth:`scan` over the whole pool comes first; the representations of frames that are used again are cached. Frames
    are in the order of their ids. All values are float64, scaled so that the mean diagonal of the labelled frames is 1
    (design, section 5.3).

    Args:
        kernel: represents and compares frames.
        pool: the N frames.
        labelled: the L frames, at least one.
        precision: ``bfloat16`` computes representations with bfloat16 inputs to matrix products and float32 sums, and
            rounds them to bfloat16. Other values use the dtype of the frames throughout.
        normalise: scale each frame's representation to unit length: ``k(i, j) / sqrt(k(i, i) k(j, j))``. The length
            grows with the number of objects in a frame.

    Attributes:
        known: (L, L) kernel between the labelled frames.
        scale: mean diagonal of the labelled frames before scaling.

    Raises:
        SelectionError: there is no labelled frame, or the mean diagonal is zero or not finite.
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
            raise SelectionError("no frame is labelled; the kernel needs at least one labelled frame")
        parts = [self._represent_chunk(labelled, chunk) for chunk in labelled.chunks(np.arange(len(labelled)))]
        first = tuple(self._round(torch.cat(columns)).to(columns[0]) for columns in zip(*parts))
        self._conditioning = [GrowingRows(part) for part in first]
        diagonal = kernel.diagonal(first).cpu().numpy()
        self.scale = float(diagonal.mean())
        if not np.isfinite(self.scale) or self.scale <= 0:
            raise SelectionError(f"the mean kernel diagonal of the labelled frames is {self.scale}; expected above 0")
        self._common_norm = None if normalise else np.sqrt(self.scale)
        self._unit = np.sqrt((diagonal > 0).mean())  # frames without RoIs have diagonal 0 and stay there
        self._conditioning_norms, self._pool_norms = self._norms(diagonal), np.zeros(len(pool))
        with matmul_precision(precision):
            gram = kernel.gram(first, first).cpu().numpy()
        np.fill_diagonal(gram, diagonal)
        self.known = gram / np.outer(self._conditioning_norms, self._conditioning_norms)
        self._allocate(first)

    def _allocate(self, first: Representation) -> None:
        """Size the scan's blocks, their buffer and the cache by the size of one representation."""
        frame_bytes = sum(part.shape[1] * part.element_size() for part in first)
        chunk = len(next(self.pool.chunks(np.arange(max(1, len(self.pool))))))
        self._block = chunk if self.pool.n_rois == 1 else max(chunk, BLOCK_BYTES // max(1, frame_bytes))
        self._buffer = [part.new_empty(min(self._block, max(1, len(self.pool))), part.shape[1]) for part in first]
        self._cache = RowCache(max(1, CACHE_BYTES // max(1, frame_bytes)))

    def __len__(self) -> int:
        return len(self.pool)

    def scan(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """All frames, block by block: positions (n,), diagonal (n,) and kernel with the labelled frames (n, L).

        Raises:
            SelectionError: a value is not finite; names the frame.
        """
        for start in range(0, len(self), self._block):
            positions = np.arange(start, min(start + self._block, len(self)))
            rep, diagonal = self._represent_block(positions)
            self._pool_norms[positions] = norms = self._norms(diagonal)
            cross = self._cross(positions, rep, 0, self.precision)
            yield positions, self._finite(diagonal / norms**2, positions), self._finite(cross, positions)

    def cross(self, positions: np.ndarray, skip: int) -> np.ndarray:
        """(n, m) kernel with the conditioning set, except its first ``skip`` frames. Requires a complete :meth:`scan`.

        Args:
            positions: (n,) pool frames, at most as many as a block of the scan.
            skip: number of conditioning frames to leave out.
        """
        return self._cross(positions, self._cached(positions), skip, "float32")

    def condition_on(self, position: int) -> None:
        """Append the pool frame at ``position`` to the conditioning set."""
        for store, part in zip(self._conditioning, self._cached(np.array([position]))):
            store.append(part)
        self._conditioning_norms = np.append(self._conditioning_norms, self._pool_norms[position])

    def _represent_chunk(self, frames: RoiFrames, chunk: np.ndarray) -> Representation:
        with matmul_precision(self.precision):
            return self.kernel.represent(*frames.read(chunk))

    def _represent_block(self, positions: np.ndarray) -> tuple[Representation, np.ndarray]:
        """Representations, in a buffer that the next call overwrites, and the unscaled diagonal."""
        chunks, done, diagonal = list(self.pool.chunks(positions)), 0, []
        rep: Representation = ()
        for chunk in chunks:
            rep = self._represent_chunk(self.pool, chunk)
            if len(chunks) == 1:
                rep = tuple(self._round(part).to(part) for part in rep)
            else:
                rows = [buffer[done : done + len(chunk)] for buffer in self._buffer]
                rep = tuple(place.copy_(self._round(part)) for place, part in zip(rows, rep))
            diagonal.append(self.kernel.diagonal(rep))
            done += len(chunk)
        if len(chunks) > 1:
            rep = tuple(buffer[:done] for buffer in self._buffer)
        return rep, torch.cat(diagonal).cpu().numpy()

    def _cached(self, positions: np.ndarray) -> Representation:
        """Representations, from the cache where possible."""
        for chunk in self.pool.chunks(self._cache.missing(positions)):
            parts = self._represent_chunk(self.pool, chunk)
            self._cache.add(chunk, (tuple(self._round(p).to(p, copy=True) for p in row) for row in zip(*parts)))
        return self._cache.take(positions)

    def _cross(self, positions: np.ndarray, rep: Representation, skip: int, precision: str) -> np.ndarray:
        conditioning = tuple(store.rows()[skip:] for store in self._conditioning)
        norms = np.outer(self._pool_norms[positions], self._conditioning_norms[skip:])
        with matmul_precision(precision):
            return self.kernel.gram(rep, conditioning).cpu().numpy() / norms

    def _norms(self, diagonal: np.ndarray) -> np.ndarray:
        """What representations are divided by, from the unscaled diagonal."""
        if self._common_norm is not None:
            return np.full(len(diagonal), self._common_norm)
        return np.where(diagonal > 0, np.sqrt(diagonal), 1.0) * self._unit

    def _round(self, part: Tensor) -> Tensor:
        """``part`` rounded to the precision in which products read it."""
        return part.bfloat16() if self.precision == "bfloat16" else part

    def _finite(self, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
        bad = ~np.isfinite(values.reshape(len(positions), -1)).all(1)
        if bad.any():
            self.pool.check(positions[bad])  # names the frame if its features are the cause
            frame = self.pool.ids[self.pool.order[positions[bad][0]]]
            raise SelectionError(f"frame {str(frame)!r}: its kernel is not finite; are its features extremely large?")
        return values
