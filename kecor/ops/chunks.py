"""Work in pieces, so that large intermediate arrays stay small."""

from __future__ import annotations

from collections.abc import Iterator

CHUNK_BYTES = 64 * 2**20
"""About what the intermediate arrays of one piece take."""


def chunks(n: int, bytes_each: int) -> Iterator[slice]:
    """Slices that together make up ``range(n)``, in order, of as many items as :data:`CHUNK_BYTES` holds."""
    step = max(CHUNK_BYTES // max(bytes_each, 1), 1)
    return (slice(begin, min(begin + step, n)) for begin in range(0, n, step))
