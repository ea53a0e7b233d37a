"""What can be wrong with a run, found before an hour is spent on training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kecor.active.state import BACKUP_FILE, DONE, STATE_FILE, State
from kecor.active.summary import METRICS, round_folder
from kecor.config import Config
from kecor.datasets import KittiDataset
from kecor.errors import ConfigError, StateError
from kecor.structures import Budget

CHECKPOINT, INITIAL, SELECTION = "checkpoint.pth", "initial.pth", "selection.json"


def checked_budget(config: Config) -> Budget:
    """What one round may spend.

    Raises:
        ConfigError: it, or another number of the section ``active``, or the seed is out of its range.
    """
    active = config.active
    lowest = {"seed": (config.seed, 0), "active.initial": (active.initial, 1)}
    lowest |= {"active.rounds": (active.rounds, 0), "active.n_rois": (active.n_rois, 1)}
    lowest |= {"active.dropout_passes": (active.dropout_passes, 2)}
    for key, (value, least) in lowest.items():
        if value < least:
            raise ConfigError(f"{key}: {value} is below {least}")
    if not 0 < active.dropout_rate < 1:
        raise ConfigError(f"active.dropout_rate: {active.dropout_rate} does not lie between 0 and 1")
    try:
        return Budget(active.amount, active.cost_frame, active.cost_box)
    except ValueError as error:
        raise ConfigError(f"active.amount, active.cost_frame, active.cost_box: {error}") from error


def check_splits(config: Config, train_set: KittiDataset, val_set: KittiDataset, log: Callable[[str], None]) -> None:
    """Raise ConfigError when a split is too small; say so when the two share frames."""
    active, data = config.active, config.data
    if active.initial > len(train_set.ids):
        raise ConfigError(
            f"active.initial: {active.initial} frames wanted, the split {data.train_split!r} has {len(train_set.ids)}"
        )
    if not val_set.ids:
        raise ConfigError(f"data.val_split: the split {data.val_split!r} has no frame")
    both = set(train_set.ids) & set(val_set.ids)
    if both:
        log(
            f"warning: {len(both)} frames, {min(both)} among them, are both in {data.train_split!r} and in "
            f"{data.val_split!r}: the numbers will flatter the detector"
        )


def has_run(work_dir: Path, resume: bool) -> bool:
    """Whether there is a run to go on with.

    Raises:
        StateError: there is one and ``resume`` is not set, or there are rounds whose state is gone.
    """
    path = work_dir / STATE_FILE
    other = "start a new run with another --work-dir"
    if path.exists() and not resume:
        raise StateError(f"{path}: a run was begun here; go on with it by --resume, or {other}")
    rounds = sorted(work_dir.glob("round_*"))
    if rounds and not path.exists():
        backup = f"copy {BACKUP_FILE} to it and --resume" if (work_dir / BACKUP_FILE).exists() else "put it back"
        raise StateError(f"{path} is missing, yet there is {rounds[0].name}; {backup}, or {other}")
    return path.exists()


def check_files(state: State, config: Config, work_dir: Path) -> None:
    """Raise StateError when a file of a finished stage is missing that the run still needs; the message names it."""
    number, stage, cold = state.round, state.stage, config.active.start == "cold"
    here = round_folder(work_dir, number)
    evaluated = [k for k, seconds in enumerate(state.seconds) if "evaluate" in seconds]
    needed = [round_folder(work_dir, k) / METRICS for k in evaluated]
    if stage != DONE and (cold or number == 0):
        needed.append(work_dir / INITIAL)
    if stage in ("evaluate", "pool", "select") or (stage == "label" and not cold):
        needed.append(here / CHECKPOINT)
    if stage == "train" and number > 0 and not cold:
        needed.append(round_folder(work_dir, number - 1) / CHECKPOINT)
    if stage == "label":
        needed.append(here / SELECTION)
    for path in needed:
        if not path.is_file():
            raise StateError(
                f"{path} is missing: {STATE_FILE} says that the stage which wrote it is finished, and the run needs "
                f"it; put the file back, or start a new run with another --work-dir"
            )
