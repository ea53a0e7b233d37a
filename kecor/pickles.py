"""Reads pickles that other programs wrote: numbers, text, containers and numpy arrays. No code of theirs is run."""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from kecor.errors import DataError
from kecor.files import read_bytes

MAX_PICKLE = 1 << 32
"""Largest pickle file, in bytes: 4 GiB."""
MEMO_WRITES = ("PUT", "BINPUT", "LONG_BINPUT")


def read_plain_pickle(path: str | Path) -> Any:
    """The content of a pickle file of plain values and numpy arrays of numbers or text.

    Raises:
        DataError: the file is missing, too large or damaged, or holds anything else; the message says what.
    """
    data = read_bytes(path, MAX_PICKLE)
    try:
        _check_memo(data)
        return _Unpickler(io.BytesIO(data)).load()
    except DataError as error:
        raise DataError(f"{path}: {error}; a pickle with anything else in it can run code and is not opened") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{path}: is no pickle or is damaged: {type(error).__name__}: {error}") from error


def _check_memo(data: bytes) -> None:
    """Check that every memo number is smaller than the file: the unpickler allocates a table up to the largest one.

    Raises:
        ValueError: one is larger, or an operation is cut off.
    """
    for operation, argument, _ in pickletools.genops(data):
        if operation.name in MEMO_WRITES and int(argument or 0) >= len(data):
            raise ValueError(f"memo number {argument} in a file of {len(data)} bytes")


class _Unpickler(pickle.Unpickler):
    """Allows the names that plain values and numpy arrays need, with checked replacements for numpy's functions."""

    def find_class(self, module: str, name: str) -> Any:
        home = module.replace("numpy.core.", "numpy._core.").replace("__builtin__", "builtins")  # of older versions
        found = _ALLOWED.get((home, name))
        if found is None:
            raise DataError(f"asks for {module}.{name}, which is neither a plain value nor a numpy array")
        return found


class _Dtype:
    """The dtype a pickle names. Each array creates its own ``np.dtype``: the pickle cannot modify a shared one."""

    def __init__(self, spec: str, align: bool = False, copy: bool = True) -> None:
        self.spec, self.order = spec, "="

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def plain(self) -> np.dtype:
        """The dtype, if it is one of numbers or text."""
        dtype = np.dtype(self.spec)
        if dtype.kind not in "biufcSU":
            raise DataError(f"holds a numpy array of {dtype}")
        return dtype.newbyteorder(">") if self.order == ">" else dtype


class _Array(np.ndarray):
    """An array whose pickled state is checked before it is used."""

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, fortran, data = state
        super().__setstate__((version, shape, dtype.plain(), fortran, data))


def _reconstruct(*_: Any) -> np.ndarray:
    return np.zeros(0, np.uint8).view(_Array)


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    return np.frombuffer(data, dtype.plain(), count=1)[0]


def _frombuffer(buffer: bytes, dtype: _Dtype, shape: tuple, order: Any, axes: tuple | None = None) -> np.ndarray:
    kind = dtype.plain()
    flat = np.frombuffer(buffer, kind).astype(kind.newbyteorder("="))
    return flat.reshape(shape, order=order) if axes is None else flat.reshape(shape).transpose(axes)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("numpy", "ndarray"): "ndarray",  # only ever named as an argument of _reconstruct
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _no_bytes,  # how protocol 2 spells empty ones
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "complex"): complex,
}
