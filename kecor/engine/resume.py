"""Going on after a kill: a checkpoint after every epoch, of which the last two are kept until the training ends."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from kecor.config import ScheduleConfig
from kecor.detectors.pretrained import load_weights, purpose_in
from kecor.detectors.purpose import check_purpose
from kecor.engine import launch
from kecor.engine.checkpoints import cpu_weights, purpose_entry, read_checkpoint, write_checkpoint
from kecor.engine.hooks import History
from kecor.errors import CheckpointError, StateError

KEPT = 2
PROCESSES = "number of processes"
"""A fact that checkpoints of an older kecor do not state."""


def run_facts(ids: Sequence[str], schedule: ScheduleConfig, seed: int) -> dict[str, Any]:
    """What makes a training the one it is; stored in its checkpoints, and must agree when one is resumed."""
    plan = dataclasses.asdict(schedule)
    if schedule.iterations is None:
        del plan["iterations"]  # older checkpoints do not state it
    frames = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return {
        "seed": seed,
        "frames": f"{len(ids)} with hash {frames[:16]}",
        "schedule": plan,
        PROCESSES: launch.world_size(),
    }


def check_same_run(stored: dict[str, Any], facts: dict[str, Any], path: Path) -> None:
    """Check that a checkpoint's ``meta`` belongs to the training that ``facts`` describes.

    Raises:
        StateError: names what differs.
    """
    for key, value in facts.items():
        if stored.get(key, value if key == PROCESSES else None) != value:
            raise StateError(
                f"{path}: belongs to a training with another {key} (there {stored.get(key)}, now {value}); "
                "restore that setting, or use another work dir"
            )


class EpochCheckpoints:
    """The files ``epoch_K.pth`` of one folder: the state after K epochs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> list[Path]:
        """Those there are, newest first."""
        found = [p for p in self.folder.glob("epoch_*.pth") if re.fullmatch(r"epoch_\d+", p.stem)]
        return sorted(found, key=lambda p: int(p.stem[6:]), reverse=True)

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Write the newest and remove all but the last two."""
        write_checkpoint(state, self.folder / f"epoch_{epoch}.pth")
        for path in self.paths()[KEPT:]:
            path.unlink()

    def newest(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest that can be read; one that cannot is passed over with a warning."""
        for path in self.paths():
            try:
                return path, read_checkpoint(path)
            except CheckpointError as error:
                warnings.warn(f"{error}; going back to the epoch before", stacklevel=2)
        return None

    def clear(self) -> None:
        """Remove them all."""
        for path in self.paths():
            path.unlink()


class ResumeHook(Hook):
    """Restore the newest epoch checkpoint before training starts, and write one after each epoch."""

    priority = "VERY_LOW"  # after the other hooks have done their part of the epoch

    def __init__(self, checkpoints: EpochCheckpoints, history: History, facts: dict[str, Any]) -> None:
        self.checkpoints = checkpoints
        self.history = history
        self.facts = facts

    def after_train_epoch(self, runner: Runner) -> None:
        if launch.is_main():
            epoch = runner.epoch + 1
            module, history = _module(runner), self.history
            meta = {**self.facts, "epoch": epoch, "losses": history.losses, "seconds": history.seconds}
            optimizer = runner.optim_wrapper.state_dict()
            state = {"state_dict": cpu_weights(module), "optimizer": optimizer, "meta": meta | purpose_entry(module)}
            self.checkpoints.save(epoch, state)
        launch.barrier()

    def restore(self, runner: Runner) -> None:
        """Bring ``runner`` to where the newest epoch checkpoint left off, if there is one.

        Raises:
            StateError: it belongs to another training. CheckpointError: its weights do not fit.
        """
        found = self.checkpoints.newest()
        if found is None:
            return
        path, state = found
        check_same_run(state["meta"], self.facts, path)
        check_purpose(state["meta"], purpose_in(_module(runner)), path)
        load_weights(_module(runner), state["state_dict"], path)
        runner.optim_wrapper.load_state_dict(state["optimizer"])
        self.history.losses[:] = state["meta"]["losses"]
        self.history.seconds = state["meta"]["seconds"]
        runner.train_loop._epoch = state["meta"]["epoch"]
        runner.train_loop._iter = runner.epoch * len(runner.train_dataloader)
        runner.logger.info(f"resumed from {path} after epoch {runner.epoch}")


def _module(runner: Runner):
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
