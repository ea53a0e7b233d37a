"""The official op as a check. TensorFlow lives in an environment of its own and runs in a process of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from kecor.errors import DataError
from kecor.evaluation.waymo.inputs import GroundTruth, Predictions, as_arrays
from kecor.files import read_json

VARIABLE = "KECOR_WAYMO_PYTHON"
"""Environment variable that names the Python which has the official op."""
INSTALL = (
    "make an environment of Python 3.10 or 3.11 with `pip install tensorflow-cpu==2.13.0 numpy==1.24.3` and "
    "`pip install --no-deps waymo-open-dataset-tf-2-12-0==1.6.7`, and name its Python"
)
SCRIPT = Path(__file__).with_name("official_op.py")


def official_python(path: str | Path | None = None) -> Path:
    """The Python to run the op with: ``path``, or what ``KECOR_WAYMO_PYTHON`` names.

    Raises:
        DataError: none is named, or there is no such file; says what to install.
    """
    named = path or os.environ.get(VARIABLE)
    if not named:
        raise DataError(f"the official op needs a Python of its own: {INSTALL} in {VARIABLE}")
    if not Path(named).is_file():
        raise DataError(f"{named}: no such file; {INSTALL} in {VARIABLE}")
    return Path(named)


def evaluate_official(
    gt: GroundTruth, predictions: Predictions, python: Path, breakdowns: tuple[str, ...]
) -> dict[str, Any]:
    """What the official op returns.

    Args:
        gt: the objects as labelled; those without points are left out.
        predictions: boxes, scores and flags.
        python: see :func:`official_python`.
        breakdowns: names of the breakdowns, such as ``RANGE``.

    Returns:
        ``breakdowns`` -> row name -> ``AP`` and ``APH`` in [0, 1]; ``seconds`` and ``cpu_seconds`` of the op alone.

    Raises:
        DataError: the op failed; the message ends with the last line that it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        arrays, result = Path(folder, "arrays.npz"), Path(folder, "result.json")
        named: dict[str, Any] = as_arrays(gt.prepared(), predictions)
        np.savez(arrays, **named)
        command = [str(python), str(SCRIPT), str(arrays), str(result), *breakdowns]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""}
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        except OSError as error:
            raise DataError(f"{python}: cannot be run: {error.strerror or error}") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DataError(f"{python}: the official op failed: {last}; {INSTALL} in {VARIABLE}")
        return read_json(result)
