"""Wrong values for keys of configs, and mutations of files."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import numpy as np

WRONG = [
    "a word", 7, -3, 0, 2.5, float("nan"), float("inf"), 1e30, -1e30, 10**40, True, None, "", [], {}, [[]], [1, "a"],
    [None], {"type": "kitti"}, {"a": {"b": [1]}}, [[[-1.0]]], "x" * 100_000, "../../x", "1e5",
]  # fmt: skip
"""Wrong for most keys: another type, no number, out of range, empty, nested, very long."""
NUMBERS = (b"nan", b"1e30", b"-1", b"inf", b"99999999999999999999", b"")
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")

Mutation = Callable[[bytes, np.random.Generator], bytes]


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data) + 1)]


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """Change up to four bytes."""
    changed = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 5)) if data else ():
        changed[place] ^= int(rng.integers(1, 256))
    return bytes(changed)


def insert(data: bytes, rng: np.random.Generator) -> bytes:
    place = rng.integers(len(data) + 1)
    return data[:place] + rng.bytes(int(rng.integers(1, 9))) + data[place:]


def duplicate(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a stretch of the file twice."""
    start, stop = np.sort(rng.integers(len(data) + 1, size=2))
    return data[:stop] + data[start:stop] + data[stop:]


def delete_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True)
    start, stop = np.sort(rng.integers(len(lines) + 1, size=2))
    return b"".join(lines[:start] + lines[min(stop, start + 3) :])


def repeat_line(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    place = rng.integers(len(lines))
    return b"".join([*lines[: place + 1], *lines[place:]])


def replace_number(data: bytes, rng: np.random.Generator) -> bytes:
    """Put another number in the place of one: in digits, or in four or eight bytes of a binary file."""
    found = list(NUMBER.finditer(data[:200_000]))
    if found and b"\0" not in data:
        place = found[rng.integers(len(found))]
        return data[: place.start()] + NUMBERS[rng.integers(len(NUMBERS))] + data[place.end() :]
    form, value = [("<f", np.nan), ("<f", 1e30), ("<d", np.nan), ("<d", -1.0), ("<i", -1), ("<q", 2**62)][
        rng.integers(6)
    ]
    packed = struct.pack(form, value)
    start = int(rng.integers(max(1, len(data) // 4))) * 4
    return data[:start] + packed + data[start + len(packed) :]


MUTATIONS: list[Mutation] = [truncate, flip, insert, duplicate, delete_lines, repeat_line, replace_number]
