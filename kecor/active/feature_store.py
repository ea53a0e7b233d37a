"""Arrays over many frames on disk, written in chunks so that a killed pass goes on at the next chunk."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.files import read_json, write_atomic, write_json

CHUNK = 64
RECORD = "features.json"


class FeatureStore:
    """A folder of arrays whose rows follow ``ids``: one ``NAME.npy`` an array once every chunk is in.

    Until then each chunk of :data:`CHUNK` frames is one ``chunk_NNNNN.npz``, written whole or not at all. A folder that
    holds other frames or other arrays is emptied first. Files are written, never mapped for writing: a full disk is
    then an error that can be told, not a signal that kills.

    Args:
        folder: is made when it does not exist.
        ids: the frames.
        names: the kinds of arrays a pass computes; a store made for other kinds is not reused.
    """

    def __init__(self, folder: Path, ids: Sequence[str], names: Sequence[str]) -> None:
        self.folder = folder
        self.ids = list(ids)
        self._record = {"ids": self.ids, "names": sorted(names), "arrays": None}
        try:
            record = read_json(folder / RECORD)
        except DataError:
            record = {}
        if {**record, "arrays": None} != self._record:
            shutil.rmtree(folder, ignore_errors=True)
            write_json(folder / RECORD, self._record)
        else:
            self._record = record

    def missing(self) -> Iterator[tuple[int, list[str]]]:
        """The number and the frame ids of each chunk that is still to be computed."""
        if self._record["arrays"] is None:
            for number in range(self._n_chunks):
                if not zipfile.is_zipfile(self._chunk(number)):
                    yield number, self.ids[number * CHUNK : (number + 1) * CHUNK]

    def write_chunk(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        """Write the arrays of a chunk. Their first axis is the frame, or any count for ragged arrays."""
        write_atomic(self._chunk(number), lambda stream: np.savez(stream, **arrays))

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array over all frames, joined from the chunks when that was not done yet; memory-mapped, read-only."""
        if self._record["arrays"] is None:
            with np.load(self._chunk(0), allow_pickle=False) as first:
                names = sorted(first.files)
            for name in names:
                self._join(name)
            self._record["arrays"] = names
            write_json(self.folder / RECORD, self._record)
        for number in range(self._n_chunks):
            self._chunk(number).unlink(missing_ok=True)
        return {name: _open(self.folder / f"{name}.npy") for name in self._record["arrays"]}

    @property
    def _n_chunks(self) -> int:
        return -(-len(self.ids) // CHUNK)

    def _chunk(self, number: int) -> Path:
        return self.folder / f"chunk_{number:05d}.npz"

    def _pieces(self, name: str) -> Iterator[np.ndarray]:
        for number in range(self._n_chunks):
            with np.load(self._chunk(number), allow_pickle=False) as chunk:
                yield chunk[name]

    def _join(self, name: str) -> None:
        shapes = [(piece.shape, piece.dtype) for piece in self._pieces(name)]
        (shape, dtype), rows = shapes[0], sum(shape[0] for shape, _ in shapes)
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *shape[1:])}

        def write(stream) -> None:
            np.lib.format.write_array_header_1_0(stream, header)
            for piece in self._pieces(name):
                stream.write(np.ascontiguousarray(piece).tobytes())

        write_atomic(self.folder / f"{name}.npy", write)


def _open(path: Path) -> np.ndarray:
    """The array of a .npy file; mapped when it is large (and never when it is empty, which cannot be mapped)."""
    large = path.stat().st_size >= 1 << 20
    return np.load(path, mmap_mode="r" if large else None, allow_pickle=False)
