"""The plan of a comparison: its runs, their folders and their progress."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kecor import run_dir
from kecor.active.round_0 import starts_at_round_0
from kecor.active.state import DONE, State, check_settings, read_state
from kecor.comparison.methods import CONFIGS, SHARED, Method, shared_config
from kecor.config import Config, dump_config
from kecor.config.differences import settings_of
from kecor.errors import StateError
from kecor.files import write_text


@dataclass(frozen=True)
class PlannedRun:
    """One method with one seed: an ordinary run folder of train_al, with its console log beside it."""

    name: str
    config: Config
    folder: Path
    config_file: Path

    @property
    def log(self) -> Path:
        """The file that receives the console output of the run."""
        return self.folder.with_name(f"{self.folder.name}.log")

    def state(self) -> State | None:
        """The saved state of the run; None if it has not started.

        Raises:
            StateError: the state is damaged or belongs to another config.
        """
        if not (self.folder / run_dir.STATE).is_file():
            return None
        state = read_state(self.folder)
        check_settings(state, settings_of(self.config, pretrained=None), self.folder)
        return state

    def is_finished(self) -> bool:
        """Whether the last stage is done and the summary and the report were written after it."""
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
    """The runs of a comparison, ``runs[method][seed]``, and ``shared[seed]``, the run that trains round 0 of a seed."""

    work_dir: Path
    runs: dict[str, dict[int, PlannedRun]]
    shared: dict[int, PlannedRun]

    def unfinished(self) -> list[tuple[PlannedRun, PlannedRun]]:
        """The unfinished runs, seed by seed, each with the run that provides its round 0."""
        by_seed = ((runs[seed], shared) for seed, shared in self.shared.items() for runs in self.runs.values())
        return [(run, shared) for run, shared in by_seed if not run.is_finished()]

    def all_runs(self) -> list[PlannedRun]:
        """All runs to compare, method by method."""
        return [run for seeds in self.runs.values() for run in seeds.values()]

    def started(self) -> Path | None:
        """The state file of a run that has already started, if any."""
        states = (run.folder / run_dir.STATE for run in [*self.shared.values(), *self.all_runs()])
        return next((state for state in states if state.exists()), None)


def plan_runs(base: Config, methods: Sequence[Method], seeds: Sequence[int], work_dir: Path, resume: bool) -> Plan:
    """Plan the runs of ``methods`` with ``seeds`` in ``work_dir``, and write their configs there.

    Raises:
        StateError: runs exist there and ``resume`` is false, one of them belongs to another config, or ``work_dir``
            cannot be written to.
    """
    configs = {**{method.name: method.config for method in methods}, SHARED: shared_config(base)}
    runs = {name: _runs_of(name, config, seeds, work_dir) for name, config in configs.items()}
    plan = Plan(work_dir, runs, runs.pop(SHARED))
    if (started := plan.started()) and not resume:
        raise StateError(
            f"{started}: {work_dir} holds a comparison; continue it with --resume, or choose another --work-dir"
        )
    plan.unfinished()  # reads every state, so that one that cannot be resumed is found before any run starts
    try:
        for name, config in configs.items():
            write_text(work_dir / CONFIGS / f"{name}.yaml", dump_config(config))
    except OSError as error:
        raise StateError(f"--work-dir {work_dir}: cannot be written: {error.strerror or error}") from error
    return plan


def needs_round_0(run: PlannedRun) -> bool:
    """Whether a run still has to copy its round 0 from the shared run."""
    state = run.state()
    return state is None or starts_at_round_0(state)


def _runs_of(name: str, config: Config, seeds: Sequence[int], work_dir: Path) -> dict[int, PlannedRun]:
    """The run of one method with each seed."""
    file = work_dir / CONFIGS / f"{name}.yaml"
    title = "round 0" if name == SHARED else name
    return {
        seed: PlannedRun(
            f"{title}, seed {seed}", dataclasses.replace(config, seed=seed), work_dir / name / f"seed_{seed}", file
        )
        for seed in seeds
    }
