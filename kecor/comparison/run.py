"""Making the runs of a comparison and writing its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kecor.active.preflight import check_splits
from kecor.comparison.methods import SHARED
from kecor.comparison.plan import Plan, PlannedRun, needs_round_0
from kecor.comparison.processes import Job, hold, run_jobs
from kecor.comparison.results import evaluate_runs
from kecor.comparison.rows import collect, write_rows
from kecor.comparison.tables import tables, verdict
from kecor.config import Config
from kecor.datasets import build_dataset
from kecor.errors import ConfigError, StateError
from kecor.visualization.comparison import write_comparison, write_curves

FILES = ("compare.csv", "compare.png", "compare.html")


def make_runs(
    plan: Plan, command: Sequence[str], limit: int, device: str, say: Callable[[str], None]
) -> dict[str, str]:
    """Make the unfinished runs of ``plan``.

    Args:
        plan: the runs.
        command: the command that starts train_al, without arguments.
        limit: maximum number of processes at a time.
        device: where the detectors run.
        say: prints a line.

    Returns:
        Name of each failed run -> the reason and the path of its log.
    """
    with hold(plan.work_dir, say) as lock:
        say(
            f"{len(plan.all_runs())} runs, {len(plan.unfinished())} of them unfinished, {limit} at a time; "
            f"logs: {plan.work_dir}/METHOD/seed_N.log"
        )
        return run_jobs(unfinished_jobs(plan, command, device), limit, say, [lock])


def check_data(plan: Plan, config: Config, say: Callable[[str], None]) -> None:
    """Check before the first run that the splits can be read and hold enough frames for ``active.initial``.

    Raises:
        ConfigError: a split has too few frames or labels. DataError: a file of a first frame is missing or faulty.
    """
    if any(run.state() is None for run in plan.shared.values()):
        train_set, val_split = build_dataset(config.data, config.data.train_split), config.data.val_split
        check_splits(config, train_set, build_dataset(config.data, val_split) if val_split else None, say)


def unfinished_jobs(plan: Plan, command: Sequence[str], device: str) -> list[Job]:
    """The jobs of the unfinished runs, each after the job of its round 0; arguments as in :func:`make_runs`."""
    jobs: list[Job] = []
    shared: dict[Path, Job] = {}
    for run, round_0 in plan.unfinished():
        is_new = needs_round_0(run)
        if is_new and not round_0.is_finished() and round_0.folder not in shared:
            shared[round_0.folder] = _job(round_0, command, device)
            jobs.append(shared[round_0.folder])
        source = round_0.folder if is_new else None
        jobs.append(_job(run, command, device, source, shared.get(round_0.folder) if is_new else None))
    return jobs


def make_one(plan: Plan, name: str, command: Sequence[str], device: str, say: Callable[[str], None]) -> dict[str, str]:
    """Make the run called ``name``, METHOD/SEED or shared/SEED; a finished run is left as it is.

    The lock of the run's own folder keeps two processes apart, so several machines can share the work of a comparison.
    Other arguments and the return value are those of :func:`make_runs`.

    Raises:
        ConfigError: there is no such run.
        StateError: the round 0 of this seed has to be made first.
    """
    named = {f"{run.folder.parent.name}/{seed}": run for seed, run in plan.shared.items()}
    named |= {f"{method}/{seed}": run for method, runs in plan.runs.items() for seed, run in runs.items()}
    if name not in named:
        raise ConfigError(f"--only: got {name!r}; expected one of: {', '.join(named)}")
    run, shared = named[name], plan.shared[named[name].config.seed]
    if run.is_finished():
        say(f"{run.name}: finished")
        return {}
    is_new = run is not shared and needs_round_0(run)
    if is_new and not shared.is_finished():
        raise StateError(f"{shared.folder}: not finished; make it first with --only {SHARED}/{shared.config.seed}")
    return run_jobs([_job(run, command, device, shared.folder if is_new else None)], 1, say)


def report(plan: Plan, metric: str, target: float | None, cost: str, against: str) -> str:
    """Write compare.csv, compare.png and compare.html from the finished runs.

    Returns:
        The tables and the conclusions as text.

    Raises:
        StateError: two runs used different data.
        DataError: a file of a run is invalid.
        ValueError: no run is finished.
    """
    runs = collect(plan)
    if not runs:
        raise ValueError(f"{plan.work_dir}: no run is finished")
    results = evaluate_runs(runs, metric, target, np.random.default_rng(0), cost, against)
    shown, conclusions = tables(results), verdict(results)
    missing = [run.name for run in plan.all_runs() if not run.is_finished()]
    if missing:
        conclusions = [f"Unfinished runs, left out: {'; '.join(missing)}.", *conclusions]
    csv_path, picture, page = (plan.work_dir / name for name in FILES)
    write_rows(runs, csv_path)
    write_curves(runs, metric, results.target, picture)
    folders = [(run.name, run.folder) for run in plan.all_runs()]
    write_comparison(page, list(runs), conclusions, picture, shown, folders)
    return "\n\n".join([*(table.text() for table in shown), "\n".join(conclusions)])


def _job(
    run: PlannedRun, command: Sequence[str], device: str, round_0: Path | None = None, after: Job | None = None
) -> Job:
    arguments = [str(run.config_file), "--work-dir", str(run.folder), "--device", device, "--resume"]
    if round_0 is not None:
        arguments += ["--round-0", str(round_0)]
    arguments += ["--set", f"seed={run.config.seed}"]
    return Job(run.name, [*command, *arguments], run.folder, run.log, run.config.active.rounds, after)
