"""Reuse round 0 of another run: its training and evaluation do not depend on the acquisition function."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from kecor import run_dir
from kecor.active.fingerprints import note_file
from kecor.active.run import Run
from kecor.active.stages import after_evaluation
from kecor.active.state import State, read_state
from kecor.config.differences import differences
from kecor.engine import launch
from kecor.engine.checkpoints import read_checkpoint
from kecor.engine.resume import EpochCheckpoints
from kecor.errors import StateError
from kecor.files import write_atomic
from kecor.run_dir import CHECKPOINT, METRICS, STATE, round_dir

FREE = ("acquisition.", "custom_imports", "active.", "oracle.")
"""Settings that matter only after round 0; the frames that ``active.initial`` sets are compared themselves."""
KEPT = (run_dir.TRAIN_LOG, run_dir.TENSORBOARD)


def starts_at_round_0(state: State) -> bool:
    """Whether no stage of the run is finished."""
    return (state.round, state.stage) == (0, "train")


def take_round_0(al: Run, source: Path) -> None:
    """Copy the trained detector and the metrics of round 0 from the run in ``source``, if ``al`` has none yet.

    The run then continues as if it had trained and evaluated itself. Weights are hard-linked where the file system
    allows it; no run ever writes into them.

    Raises:
        StateError: ``source`` has not evaluated its round 0, or its round 0 differs from that of ``al``; says how.
    """
    state = al.state
    if not starts_at_round_0(state):
        return
    seconds = launch.first_on_main(lambda: _checked_seconds(al, source))
    launch.first_on_main(lambda: _copy(round_dir(source, 0), al.folder))
    al.log(f"round 0: copied from {source}")
    for stage in ("train", "evaluate"):
        note_file(state, stage, 0, al.work_dir)
    state.finish("train", "evaluate", seconds["train"])
    state.finish("evaluate", after_evaluation(al), seconds["evaluate"])
    launch.first_on_main(lambda: state.save(al.work_dir))


def _checked_seconds(al: Run, source: Path) -> dict[str, float]:
    """Check that round 0 of ``source`` is that of ``al``; returns the seconds of its stages."""
    where = source / STATE
    other, own = read_state(source), al.state
    if "evaluate" not in other.seconds[0]:
        raise StateError(f"{where}: this run has not evaluated its round 0 yet; finish it with --resume first")
    if changes := differences(_fixed(other.settings), _fixed(own.settings)):
        raise StateError(f"{where}: this run has a different round 0: {changes}")
    if (other.split_digest, other.frames[0], other.boxes[0]) != (own.split_digest, own.frames[0], own.boxes[0]):
        raise StateError(f"{where}: this run began with other frames or labels; the data set has changed since")
    first, second = source / run_dir.INITIAL_WEIGHTS, al.work_dir / run_dir.INITIAL_WEIGHTS
    weights, mine = (read_checkpoint(path)["state_dict"] for path in (first, second))
    if not all(torch.equal(weights[name], tensor) for name, tensor in mine.items()):
        raise StateError(f"{first}: these weights differ from {second}")
    return other.seconds[0]


def _fixed(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if not key.startswith(FREE)}


def _copy(source: Path, target: Path) -> None:
    """Copy the files of the two stages. The state is saved afterwards."""
    target.mkdir(exist_ok=True)
    for name in KEPT:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        elif (source / name).is_file():
            shutil.copy2(source / name, target / name)
    _copy_file(source / METRICS, target / METRICS)
    EpochCheckpoints(target).clear()
    checkpoint = target / CHECKPOINT
    checkpoint.unlink(missing_ok=True)
    try:
        os.link(source / CHECKPOINT, checkpoint)
    except OSError:  # another file system, or one without links
        _copy_file(source / CHECKPOINT, checkpoint)


def _copy_file(source: Path, target: Path) -> None:
    if not source.is_file():
        raise StateError(f"{source} is missing: {STATE} says that the stage which wrote it is finished")
    with source.open("rb") as stream:
        write_atomic(target, lambda out: shutil.copyfileobj(stream, out))
