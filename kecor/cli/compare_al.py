"""Compare acquisition methods at equal budgets over several seeds; docs/compare.md explains the numbers."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kecor.cli.arguments import add_config_options
from kecor.cli.guard import command_parser, main_guard
from kecor.errors import ConfigError, StateError

if TYPE_CHECKING:
    from kecor.comparison.plan import Plan
    from kecor.config import Config

TRAIN_AL = [sys.executable, "-m", "kecor.cli", "train-al"]
"""The command that starts one run."""
EXAMPLE = """example:
  python tools/compare_al.py configs/simulated/second_small.yaml --methods random,entropy,kecor --seeds 0,1,2 \\
      --jobs 2 --work-dir work_dirs/three_methods --metric Car_bev_loose --target-ap 60
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="YAML config file; its acquisition method is ignored"
    )
    add = parser.add_argument
    add("--methods", required=True, metavar="A,B", help="kecor, random, ..., plug-ins, or YAML files of your own")
    add("--seeds", required=True, metavar="N,N", help="seeds; each method runs once per seed")
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time (default: 1)")
    add("--work-dir", type=Path, metavar="DIR", help="output folder (default: work_dirs/compare_CONFIG)")
    add("--resume", action="store_true", help="continue the comparison in the output folder, if there is one")
    add("--device", default="auto", help="auto (default), cpu or cuda")
    add(
        "--target-ap",
        type=float,
        metavar="AP",
        help="report the cost of reaching this AP (default: the highest AP that all runs reach)",
    )
    add("--cost", default="boxes", help="cost to compare at: boxes (default), frames, or FRAME:BOX prices such as 3:1")
    add("--against", metavar="METHOD", default="random", help="method to compare with (default: random)")
    add("--metric", metavar="COLUMN", help="column of summary.csv, or mean_QUANTITY for the mean over classes")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--dry-run", action="store_true", help="print the command of each unfinished run; start none")
    part.add_argument("--only", metavar="METHOD/SEED", help="make this run alone; shared/SEED makes round 0 of a seed")
    part.add_argument("--tables", action="store_true", help="start no run; report the finished ones")
    add_config_options(parser)
    return parser


def read_seeds(text: str) -> list[int]:
    """Parse a list of seeds such as 0,1,2.

    Raises:
        ConfigError: a seed is not a non-negative integer, or occurs twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len({int(part) for part in parts}) < len(parts):
        raise ConfigError(f"--seeds: got {text!r}; expected distinct non-negative integers, such as 0,1,2")
    return [int(part) for part in parts]


def checked_metric(arguments: argparse.Namespace, config: Config) -> str:
    """Check the arguments against ``config``; returns the column to compare by.

    Raises:
        ConfigError: an argument has an invalid value.
    """
    from kecor.comparison.results import prices
    from kecor.comparison.rows import columns_of
    from kecor.engine.device import resolve_device

    known, default = columns_of(config)
    metric = arguments.metric or default
    if metric not in known:
        raise ConfigError(f"--metric: got {metric!r}; expected one of: {', '.join(known)}")
    if arguments.jobs < 1:
        raise ConfigError(f"--jobs: got {arguments.jobs}; expected at least 1")
    if arguments.target_ap is not None and not 0 < arguments.target_ap <= 100:
        raise ConfigError(f"--target-ap: got {arguments.target_ap:g}; expected a number above 0 and at most 100")
    prices(arguments.cost)
    resolve_device(arguments.device)
    return metric


def show_report(plan: Plan, metric: str, arguments: argparse.Namespace) -> None:
    """Write and print the report of the finished runs, if there are any."""
    from kecor.comparison.run import FILES, report

    if any(run.is_finished() for run in plan.all_runs()):
        print(f"\n{report(plan, metric, arguments.target_ap, arguments.cost, arguments.against)}\n")
        print("\n".join(str(plan.work_dir / name) for name in FILES))
    else:
        print("no run is finished yet")


@main_guard
def main() -> None:
    arguments = build_parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # terminates the runs too

    from tqdm import tqdm

    from kecor.comparison.methods import load_base, load_methods
    from kecor.comparison.plan import plan_runs
    from kecor.comparison.results import BASELINE
    from kecor.comparison.run import check_data, make_one, make_runs, unfinished_jobs

    base = load_base(arguments.config, arguments.cfg_options)
    metric = checked_metric(arguments, base)
    seeds = read_seeds(arguments.seeds)
    names = [name.strip() for name in arguments.methods.split(",")]
    methods = load_methods(names, arguments.config, arguments.cfg_options)
    work_dir = arguments.work_dir or Path("work_dirs") / f"compare_{arguments.config.stem}"
    shares = arguments.resume or arguments.dry_run or arguments.only or arguments.tables
    known = [method.name for method in methods]
    if arguments.against not in [*known, BASELINE]:
        raise ConfigError(f"--against: got {arguments.against!r}; expected one of: {', '.join(known)}")
    plan = plan_runs(base, methods, seeds, work_dir, bool(shares))
    if not arguments.tables:
        check_data(plan, base, tqdm.write)
    if arguments.dry_run:
        print("\n".join(shlex.join(job.command) for job in unfinished_jobs(plan, TRAIN_AL, arguments.device)))
        return
    failed: dict[str, str] = {}
    if arguments.only:
        failed = make_one(plan, arguments.only, TRAIN_AL, arguments.device, tqdm.write)
    elif not arguments.tables:
        failed = make_runs(plan, TRAIN_AL, arguments.jobs, arguments.device, tqdm.write)
    if not arguments.only:
        show_report(plan, metric, arguments)
    if failed:
        listed = "; ".join(f"{name}: {fault}" for name, fault in failed.items())
        raise StateError(f"runs failed; correct the cause and start again with --resume: {listed}")
