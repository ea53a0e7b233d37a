"""LZF, the compression of PCD files."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def unpack_lzf(data: np.ndarray, out: np.ndarray) -> bool:
    """Expand LZF ``data`` into ``out``, both (N,) uint8; False when it does not fill it exactly.

    A control byte below 32 announces that many literals and one more; another is a copy of earlier output: its upper
    three bits are the length less 2 (7: the next byte is added), the lower five and the next byte the distance less 1
    (Marc Lehmann's LibLZF).
    """
    i, o = np.int64(0), np.int64(0)
    while i < len(data):
        control = np.int64(data[i])
        i += 1
        if control < 32:
            length = control + 1
            if i + length > len(data) or o + length > len(out):
                return False
            out[o : o + length] = data[i : i + length]
            i += length
        else:
            length = control >> 5
            if length == 7:
                if i >= len(data):
                    return False
                length += np.int64(data[i])
                i += 1
            length += 2
            if i >= len(data):
                return False
            source = o - ((control & 31) << 8) - np.int64(data[i]) - 1
            i += 1
            if source < 0 or o + length > len(out):
                return False
            for k in range(length):
                out[o + k] = out[source + k]
        o += length
    return o == len(out)
