"""Checks before a run starts: budget, splits, and the files a resumed run needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kecor import run_dir
from kecor.active.selection.start import candidates, must_wait
from kecor.active.state import DONE, NEW_RUN, WAITING, State
from kecor.config import Config
from kecor.datasets.base import Dataset
from kecor.engine import launch
from kecor.errors import ConfigError, StateError
from kecor.labelling.formats import EXPORT_FORMATS
from kecor.structures import Budget


def checked_budget(config: Config) -> Budget:
    """The budget of one round.

    Raises:
        ConfigError: neither frames nor boxes have a price.
    """
    active = config.active
    try:
        return Budget(active.amount, active.cost_frame, active.cost_box)
    except ValueError as error:
        raise ConfigError(f"active.amount, active.cost_frame, active.cost_box: {error}") from error


def check_annotators(config: Config) -> None:
    """Check that work can be handed out as ``oracle`` says.

    Raises:
        ConfigError: no such format, or a class name that label files cannot hold.
    """
    name = config.oracle.format
    if name not in EXPORT_FORMATS:
        raise ConfigError(f"oracle.format: got {name!r}; expected one of: {', '.join(EXPORT_FORMATS)}")
    blank = next((name for name in config.data.classes if len(name.split()) != 1), None)
    if blank is not None:
        raise ConfigError(f"data.classes: {blank!r} holds a blank, which label files cannot; rename the class")


def check_splits(config: Config, train_set: Dataset, val_set: Dataset | None, log: Callable[[str], None]) -> None:
    """Check both splits before any training: their sizes, and that their first frames can be read.

    Warns when they share frames, and when there is nothing to measure on.

    Raises:
        ConfigError: a split has too few frames or labels. DataError: a file of a first frame is missing or faulty.
    """
    data, initial = config.data, config.active.initial
    labelled = sum(map(train_set.is_labelled, train_set.ids))
    there = len(candidates(train_set.ids, config)) if must_wait(train_set, config) else labelled
    if initial > there:
        raise ConfigError(
            f"active.initial: got {initial}, but the split {data.train_split!r} has {len(train_set.ids)} frames, "
            f"{there} of them {'candidates' if must_wait(train_set, config) else 'labelled'}"
        )
    if val_set is not None and not val_set.ids:
        raise ConfigError(f"data.val_split: the split {data.val_split!r} has no frame; null goes on without one")
    if val_set is None or not any(map(val_set.is_labelled, val_set.ids)):
        log("warning: no frame to evaluate on is labelled: the run goes on without average precision")
    for dataset in (train_set, val_set) if val_set else (train_set,):
        first = dataset.ids[0]
        dataset.read(first, labels=dataset.is_labelled(first))
    both = set(train_set.ids) & set(val_set.ids if val_set else ())
    if both:
        log(
            f"warning: {len(both)} frames (such as {min(both)}) are in both {data.train_split!r} and "
            f"{data.val_split!r}: results will be too optimistic"
        )


def has_run(work_dir: Path, resume: bool) -> bool:
    """Whether there is a run to resume.

    Raises:
        StateError: there is one and ``resume`` is not set, or there are rounds whose state is gone.
    """
    path = work_dir / run_dir.STATE
    if path.exists() and not resume:
        raise StateError(f"{path}: a run was begun here; continue it with --resume, {NEW_RUN}")
    rounds = sorted(work_dir.glob(run_dir.ROUNDS))
    if rounds and not path.exists():
        backup = work_dir / run_dir.STATE_BACKUP
        advice = f"copy {backup.name} to it and use --resume" if backup.exists() else "restore it"
        raise StateError(f"{path} is missing, but {rounds[0].name} exists; {advice}, {NEW_RUN}")
    return path.exists()


def check_processes(state: State) -> None:
    """Raise StateError when the run continues on another number of processes, which would change its results."""
    now = launch.world_size()
    if state.processes not in (0, now):
        raise StateError(
            f"the run began on {state.processes} processes and would continue on {now}: batches of training would have "
            f"another size; start {state.processes} processes, {NEW_RUN}"
        )


def check_files(state: State, config: Config, work_dir: Path) -> None:
    """Raise StateError when a file of a finished stage that the run still needs is missing."""
    number, stage, cold = state.round, state.stage, config.active.start == "cold"
    here = run_dir.round_dir(work_dir, number)
    selected = [k for k, seconds in enumerate(state.seconds) if "select" in seconds]
    evaluated = [k for k, seconds in enumerate(state.seconds) if "evaluate" in seconds]
    needed = [run_dir.round_dir(work_dir, k) / run_dir.METRICS for k in evaluated]
    if stage != DONE and (cold or number == 0):
        needed.append(work_dir / run_dir.INITIAL_WEIGHTS)
    if stage in ("evaluate", "pool", "select") or (stage in ("label", WAITING) and selected and not cold):
        needed.append(here / run_dir.CHECKPOINT)
    if stage == "train" and number > 0 and not cold:
        needed.append(run_dir.round_dir(work_dir, number - 1) / run_dir.CHECKPOINT)
    needed += [run_dir.round_dir(work_dir, k) / run_dir.SELECTION for k in selected]
    for path in needed:
        if not path.is_file():
            raise StateError(
                f"{path} is missing: {run_dir.STATE} says that the stage which wrote it is finished, and the run needs "
                f"it; restore the file, {NEW_RUN}"
            )
