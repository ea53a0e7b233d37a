"""Which runs make up a comparison, where they lie, and what is still to be done."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kecor import run_dir
from kecor.active.round_0 import starts_at_round_0
from kecor.active.state import DONE, State, check_settings, read_state, settings_of
from kecor.comparison.methods import CONFIGS, SHARED, Method, shared_config
from kecor.config import Config, dump_config
from kecor.errors import StateError
from kecor.files import write_text


@dataclass(frozen=True)
class PlannedRun:
    """A run of one method with one seed: an ordinary run folder of train_al, and beside it what it printed."""

    name: str
    config: Config
    folder: Path
    config_file: Path

    @property
    def log(self) -> Path:
        """What the process of the run prints."""
        return self.folder.with_name(f"{self.folder.name}.log")

    def state(self) -> State | None:
        """Where the run stands; None before it has begun.

        Raises:
            StateError: its state is damaged, or of another config.
        """
        if not (self.folder / run_dir.STATE).is_file():
            return None
        state = read_state(self.folder)
        check_settings(state, settings_of(self.config, pretrained=None), self.folder)
        return state

    def is_finished(self) -> bool:
        """Whether there is nothing left to do: the last stage is done, and summary and report tell of it."""
        state, report = self.state(), self.folder / run_dir.REPORT
        if (
            state is None
            or state.stage != DONE
            or not report.is_file()
            or not (self.folder / run_dir.SUMMARY).is_file()
        ):
            return False
        return report.stat().st_mtime_ns >= (self.folder / run_dir.STATE).stat().st_mtime_ns


@dataclass(frozen=True)
class Plan:
    """The runs of a comparison: ``runs[method][seed]``, and for each seed the one that trains their round 0."""

    work_dir: Path
    runs: dict[str, dict[int, PlannedRun]]
    shared: dict[int, PlannedRun]

    def unfinished(self) -> list[tuple[PlannedRun, PlannedRun]]:
        """Each run that is not finished with the one it takes its round 0 from, seed by seed."""
        by_seed = ((runs[seed], shared) for seed, shared in self.shared.items() for runs in self.runs.values())
        return [(run, shared) for run, shared in by_seed if not run.is_finished()]

    def all_runs(self) -> list[PlannedRun]:
        """The runs to compare, method by method."""
        return [run for seeds in self.runs.values() for run in seeds.values()]

    def begun(self) -> Path | None:
        """The state of a run that is there already, if any."""
        states = (run.folder / run_dir.STATE for run in [*self.shared.values(), *self.all_runs()])
        return next((state for state in states if state.exists()), None)


def plan_runs(base: Config, methods: Sequence[Method], seeds: Sequence[int], work_dir: Path, resume: bool) -> Plan:
    """The runs of ``methods`` and ``seeds`` in ``work_dir``, where their configs are written.

    Raises:
        StateError: runs were begun there and ``resume`` is not set, one is of another config, or it cannot be written.
    """
    everything = {**{method.name: method.config for method in methods}, SHARED: shared_config(base)}
    runs = {name: _of_all_seeds(name, config, seeds, work_dir) for name, config in everything.items()}
    plan = Plan(work_dir, runs, runs.pop(SHARED))
    if (begun := plan.begun()) and not resume:
        raise StateError(
            f"{begun}: a comparison was begun in {work_dir}; go on with it by --resume, or take another --work-dir"
        )
    plan.unfinished()  # reads every state, and so finds what cannot be gone on with before anything is started
    try:
        for name, config in everything.items():
            write_text(work_dir / CONFIGS / f"{name}.yaml", dump_config(config))
    except OSError as error:
        raise StateError(f"--work-dir {work_dir}: cannot be written: {error.strerror or error}") from error
    return plan


def needs_round_0(run: PlannedRun) -> bool:
    """Whether a run has still to take over its round 0."""
    state = run.state()
    return state is None or starts_at_round_0(state)


def _of_all_seeds(name: str, config: Config, seeds: Sequence[int], work_dir: Path) -> dict[int, PlannedRun]:
    file = work_dir / CONFIGS / f"{name}.yaml"
    title = "round 0" if name == SHARED else name
    return {
        seed: PlannedRun(
            f"{title}, seed {seed}", dataclasses.replace(config, seed=seed), work_dir / name / f"seed_{seed}", file
        )
        for seed in seeds
    }
