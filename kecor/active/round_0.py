"""Round 0 taken over from another run: its training and its evaluation do not depend on how frames are chosen."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from kecor import run_dir
from kecor.active.run import Run
from kecor.active.stages import after_evaluation
from kecor.active.state import State, differences, read_state
from kecor.engine import launch
from kecor.engine.checkpoints import read_checkpoint
from kecor.engine.resume import EpochCheckpoints
from kecor.errors import StateError
from kecor.files import write_atomic
from kecor.run_dir import CHECKPOINT, METRICS, STATE, round_dir

FREE = ("acquisition.", "custom_imports", "active.")
"""Settings that matter only after round 0's evaluation; its frames, which ``active.initial`` sets, are compared."""
KEPT = (run_dir.TRAIN_LOG, run_dir.TENSORBOARD)


def starts_at_round_0(state: State) -> bool:
    """Whether nothing of the run is finished yet."""
    return (state.round, state.stage) == (0, "train")


def take_round_0(al: Run, source: Path) -> None:
    """Make the trained detector of the run in ``source`` and its metrics round 0 of ``al``, if ``al`` has none yet.

    The run then stands where it would had it trained and evaluated itself. The weights are a hard link where the file
    system knows such; neither run ever writes into them. Killed half-way, it is done again or the run trains itself.

    Raises:
        StateError: ``source`` has not evaluated its round 0, or that is not the round 0 of ``al``; says why.
    """
    state = al.state
    if not starts_at_round_0(state):
        return
    seconds = launch.first_on_main(lambda: _checked_seconds(al, source))
    launch.first_on_main(lambda: _copy(round_dir(source, 0), al.folder))
    al.log(f"round 0: trained and evaluated in {source}, taken over from there")
    state.finish("train", "evaluate", seconds["train"])
    state.finish("evaluate", after_evaluation(al), seconds["evaluate"])
    launch.first_on_main(lambda: state.save(al.work_dir))


def _checked_seconds(al: Run, source: Path) -> dict[str, float]:
    """The seconds of each stage of round 0 of ``source``, once it is sure to be the round 0 of ``al``."""
    where = source / STATE
    other, own = read_state(source), al.state
    if "evaluate" not in other.seconds[0]:
        raise StateError(f"{where}: that run has not evaluated its round 0 yet; finish it with --resume first")
    if changes := differences(_fixed(other.settings), _fixed(own.settings)):
        raise StateError(f"{where}: that run has another round 0: {changes}")
    if (other.split_digest, other.frames[0], other.boxes[0]) != (own.split_digest, own.frames[0], own.boxes[0]):
        raise StateError(f"{where}: that run began with other frames or labels; the data set has changed since")
    first, second = source / run_dir.INITIAL_WEIGHTS, al.work_dir / run_dir.INITIAL_WEIGHTS
    weights, mine = (read_checkpoint(path)["state_dict"] for path in (first, second))
    if not all(torch.equal(weights[name], tensor) for name, tensor in mine.items()):
        raise StateError(f"{first}: these weights are not those that {second} starts from")
    return other.seconds[0]


def _fixed(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if not key.startswith(FREE)}


def _copy(source: Path, target: Path) -> None:
    """The files of the two stages; everything is in its place before the state tells of it."""
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
