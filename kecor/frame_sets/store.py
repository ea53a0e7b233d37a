"""Writing a frame set in chunks, so that an interrupted pass can be resumed."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kecor.errors import DataError
from kecor.files import file_digest, read_json, write_atomic, write_json
from kecor.frame_sets.npz import write_npz

CHUNK = 64
RECORD = "features.json"
COUNTS = "det_counts"
"""Array of a chunk: the number of detections of each frame. The finished set has ``det_offsets`` instead."""


class FrameSetWriter:
    """Writes a folder for :func:`~kecor.frame_sets.files.read_frames`.

    Each chunk of :data:`CHUNK` frames is written atomically to ``chunk_NNNNN.npz``. :meth:`finish` joins the chunks to
    one ``NAME.npy`` per array. A folder with other frames or other arrays, or with damaged files, is emptied first.

    Args:
        folder: the folder; created if missing.
        ids: frame ids.
        names: what the pass computes; a folder written for other names is not reused.
    """

    def __init__(self, folder: Path, ids: Sequence[str], names: Sequence[str]) -> None:
        self.folder = folder
        self.ids = list(ids)
        self._record = {"ids": self.ids, "names": sorted(names), "files": {}}
        if not self._is_reusable():
            shutil.rmtree(folder, ignore_errors=True)
            write_json(folder / RECORD, self._record)

    def missing(self) -> Iterator[tuple[int, list[str]]]:
        """Number and frame ids of each chunk that has not been written yet."""
        if not self._is_finished():
            for number in range(self._n_chunks):
                if not zipfile.is_zipfile(self._chunk(number)):
                    yield number, self.ids[number * CHUNK : (number + 1) * CHUNK]

    def write_chunk(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        """Write the arrays of a chunk. Their first axis is the frame; detections come with :data:`COUNTS`."""
        write_atomic(self._chunk(number), lambda stream: write_npz(stream, arrays))

    def finish(self) -> None:
        """Join all chunks; afterwards the folder is a frame set. Does nothing if the folder is finished."""
        if not self._is_finished():
            names = []
            if self.ids:
                with np.load(self._chunk(0), allow_pickle=False) as first:
                    names = sorted(first.files)
            for name in names:
                if name == COUNTS:
                    counts = np.concatenate(list(self._pieces(name)))
                    self._save("det_offsets", np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
                else:
                    self._join(name)
            self._record["files"] = {path.name: file_digest(path) for path in sorted(self.folder.glob("*.npy"))}
            write_json(self.folder / RECORD, self._record)
            self._save("ids", np.array(self.ids, dtype=str))  # written last: marks the folder as finished
        for number in range(self._n_chunks):
            self._chunk(number).unlink(missing_ok=True)

    def _is_reusable(self) -> bool:
        try:
            record = read_json(self.folder / RECORD)
        except DataError:
            return False
        if not isinstance(record, dict) or {**record, "files": {}} != self._record:
            return False
        files = record.get("files", {})
        paths = {name: self.folder / name for name in files}
        intact = all(path.is_file() and file_digest(path) == files[name] for name, path in paths.items())
        return intact or not self._is_finished()

    @property
    def _n_chunks(self) -> int:
        return -(-len(self.ids) // CHUNK)

    def _is_finished(self) -> bool:
        return (self.folder / "ids.npy").is_file()

    def _chunk(self, number: int) -> Path:
        return self.folder / f"chunk_{number:05d}.npz"

    def _save(self, name: str, array: np.ndarray) -> None:
        write_atomic(self.folder / f"{name}.npy", lambda stream: np.save(stream, array))

    def _pieces(self, name: str) -> Iterator[np.ndarray]:
        for number in range(self._n_chunks):
            with np.load(self._chunk(number), allow_pickle=False) as chunk:
                yield chunk[name]

    def _join(self, name: str) -> None:
        """Join one array of all chunks with at most one chunk in memory."""
        shapes = [(piece.shape, piece.dtype) for piece in self._pieces(name)]
        (shape, dtype), rows = shapes[0], sum(shape[0] for shape, _ in shapes)
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *shape[1:])}

        def write(stream: BinaryIO) -> None:
            np.lib.format.write_array_header_1_0(stream, header)
            for piece in self._pieces(name):
                stream.write(np.ascontiguousarray(piece).tobytes())

        write_atomic(self.folder / f"{name}.npy", write)
