#!/usr/bin/env python3
"""Compare acquisition methods at equal budgets, over seeds: docs/compare.md says what the numbers mean."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tqdm import tqdm

from kecor.active.compare.carry_out import FILES, make_runs, report
from kecor.active.compare.methods import load_base, load_methods
from kecor.active.compare.plan import plan_runs
from kecor.active.compare.rows import AP_ENDINGS, MEAN
from kecor.cli import main_guard
from kecor.config import Config
from kecor.engine.device import resolve_device
from kecor.errors import ConfigError, StateError

TRAIN_AL = Path(__file__).resolve().with_name("train_al.py")
PRESETS = TRAIN_AL.parents[1] / "configs" / "_base_" / "acquisition"
COSTS = ("boxes", "frames")
EXAMPLE = """example:
  python tools/compare_al.py configs/simulated/second_small.yaml --methods random,entropy,kecor --seeds 0,1,2 \\
      --jobs 2 --work-dir work_dirs/three_methods --metric Car_bev_loose --target-ap 60
"""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="YAML config file; its acquisition is not used")
    add = parser.add_argument
    add("--methods", required=True, metavar="A,B", help="names of configs/_base_/acquisition, or your own YAML files")
    add("--seeds", required=True, metavar="N,N", help="whole numbers; each method is run with each")
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time (default: 1)")
    add("--work-dir", type=Path, metavar="DIR", help="where to write (default: work_dirs/compare_CONFIG)")
    add("--resume", action="store_true", help="go on with the comparison in the work dir, if there is one")
    add("--device", default="auto", help="auto (default), cpu or cuda")
    add("--target-ap", type=float, metavar="AP", help="AP whose cost to tell (default: what all runs reach)")
    add("--cost", choices=COSTS, default=COSTS[0], help="what a run has paid with (default: boxes)")
    add(
        "--metric",
        default="Car_3d",
        metavar="COLUMN",
        help="column of summary.csv to compare by (default: Car_3d), or mean_3d, mean_bev, mean_3d_loose, "
        "mean_bev_loose: the mean over the classes of CONFIG",
    )
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values, for all methods")
    return parser.parse_args()


def read_seeds(text: str) -> list[int]:
    """The seeds of a list such as 0,1,2.

    Raises:
        ConfigError: one is no whole number from 0 on, or stands twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len({int(part) for part in parts}) < len(parts):
        raise ConfigError(f"--seeds {text!r}: expected different whole numbers from 0 on, such as 0,1,2")
    return [int(part) for part in parts]


def check_numbers(arguments: argparse.Namespace, config: Config) -> None:
    """Raise ConfigError when an argument cannot be used with ``config``."""
    known = [f"{name}{ending}" for name in [*config.data.classes, MEAN] for ending in AP_ENDINGS]
    if arguments.metric not in known:
        raise ConfigError(f"--metric {arguments.metric!r}: there are {', '.join(known)}")
    if arguments.jobs < 1:
        raise ConfigError(f"--jobs: {arguments.jobs} is below 1")
    if arguments.target_ap is not None and not 0 < arguments.target_ap <= 100:
        raise ConfigError(f"--target-ap: {arguments.target_ap:g} is not above 0 and at most 100")
    resolve_device(arguments.device)


@main_guard
def main() -> None:
    arguments = parse_arguments()
    base = load_base(arguments.config, arguments.cfg_options)
    check_numbers(arguments, base)
    seeds = read_seeds(arguments.seeds)
    names = [name.strip() for name in arguments.methods.split(",")]
    methods = load_methods(names, base, arguments.cfg_options, PRESETS)
    work_dir = arguments.work_dir or Path("work_dirs") / f"compare_{arguments.config.stem}"
    plan = plan_runs(base, methods, seeds, work_dir, arguments.resume)
    failed = make_runs(plan, [sys.executable, str(TRAIN_AL)], arguments.jobs, arguments.device, tqdm.write)
    if any(run.is_finished() for run in plan.all_runs()):
        print(f"\n{report(plan, arguments.metric, arguments.target_ap, arguments.cost)}\n")
        print("\n".join(str(work_dir / name) for name in FILES))
    if failed:
        listed = "; ".join(f"{name}: {fault}" for name, fault in failed.items())
        raise StateError(f"runs failed; mend what was wrong and start again with --resume: {listed}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the runs are stopped too
    sys.exit(main())
