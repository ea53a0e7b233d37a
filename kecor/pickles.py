"""Reading pickles of other programs: numbers, text, containers and numpy arrays, and nothing that runs code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from kecor.errors import DataError


def read_plain_pickle(path: str | Path) -> Any:
    """The content of a pickle file that is made of plain values and numpy arrays of numbers or text.

    Raises:
        DataError: the file is missing or damaged, or asks for anything else; the message names what.
    """
    try:
        return _Unpickler(io.BytesIO(Path(path).read_bytes())).load()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}; a pickle with anything else in it can run code and is not opened") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{path}: is no pickle or is damaged: {type(error).__name__}: {error}") from error


class _Unpickler(pickle.Unpickler):
    """Knows the few names that plain values and numpy arrays need, and gives checked stand-ins for numpy's own."""

    def find_class(self, module: str, name: str) -> Any:
        home = module.replace("numpy.core.", "numpy._core.").replace("__builtin__", "builtins")  # of older versions
        found = _ALLOWED.get((home, name))
        if found is None:
            raise DataError(f"asks for {module}.{name}, which is neither a plain value nor a numpy array")
        return found


class _Dtype:
    """What a pickle says of a dtype. The dtype is made anew for each array, so that nothing can change it later."""

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
    """An array whose pickled state is checked before it is taken over."""

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
