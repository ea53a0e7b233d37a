"""Splits work into chunks to bound the memory of intermediate arrays."""

from __future__ import annotations

from collections.abc import Iterator

CHUNK_BYTES = 64 * 2**20
"""Approximate memory of the intermediate arrays of one chunk."""


def chunks(n: int, bytes_each: int) -> Iterator[slice]:
    """Consecutive slices that cover ``range(n)``, each of as many items as fit into :data:`CHUNK_BYTES`."""
    step = max(CHUNK_BYTES // max(bytes_each, 1), 1)
    return (slice(begin, min(begin + step, n)) for begin in range(0, n, step))
