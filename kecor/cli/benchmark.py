"""Measure parts of kecor beside plain references, in one run, and print ratios. Nothing passes or fails on a time."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from kecor.cli.guard import command_parser, main_guard

EXAMPLE = """examples:
  python tools/benchmark.py selection
  python tools/benchmark.py detector configs/kitti/second.yaml --frame training/velodyne/000010.bin --train
  python tools/benchmark.py acquisition --candidates 300 --picks 100
  python tools/benchmark.py selection --frames 1000 10000 158000 --arrangements per_roi --contenders float32 bfloat16
"""
ARRANGEMENTS = ("per_roi", "flatten")
CONTENDERS = ("plain", "float64", "float32", "bfloat16")


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__, EXAMPLE)
    commands = parser.add_subparsers(required=True, dest="name", metavar="BENCHMARK")
    _add_selection(commands.add_parser("selection", help="KECOR's selection beside a plain reference"))
    _add_detector(commands.add_parser("detector", help="inference and training of detectors, stage by stage"))
    _add_acquisition(commands.add_parser("acquisition", help="CRB's geometric balance beside a plain reference"))
    _add_waymo(commands.add_parser("waymo_metric", help="Waymo's metrics beside the official op"))
    return parser


def _add_selection(one: argparse.ArgumentParser) -> None:
    one.add_argument("--frames", nargs="+", type=int, default=[3612, 10000], help="sizes of the pool", dest="sizes")
    one.add_argument("--arrangements", nargs="+", choices=ARRANGEMENTS, default=list(ARRANGEMENTS))
    one.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    one.add_argument("--plain-limit", type=int, default=10000, help="largest pool given to plain and float64")
    one.add_argument("--picks", type=int, default=100, help="frames to pick")
    one.add_argument("--labelled", type=int, default=100, help="labelled frames")
    one.add_argument("--rois", type=int, default=128, help="RoIs a frame")
    one.add_argument("--channels", type=int, default=256, help="channels of a RoI feature")
    one.add_argument("--folder", type=Path, help="where to put the features, 65 kB a frame (default: /tmp or $TMPDIR)")
    one.add_argument("--device", default="cpu", help="where our selectors run; plain runs on the CPU")


def _add_detector(one: argparse.ArgumentParser) -> None:
    one.add_argument("configs", nargs="*", type=Path, metavar="CONFIG", help="default: the detectors in configs/kitti")
    source = one.add_mutually_exclusive_group()
    source.add_argument("--frame", type=Path, metavar="FILE.bin", help="a cloud in KITTI's format")
    source.add_argument("--data-root", metavar="ROOT", help="a data set in place of the config's")
    one.add_argument("--frame-id", metavar="ID", help="a frame of the data set (default: the first to validate on)")
    one.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights: ours or OpenPCDet's (default: random)")
    one.add_argument("--repeat", type=int, default=5, help="runs, of which the fastest counts (default 5)")
    one.add_argument("--train", action="store_true", help="also time a training step: forward and backward")
    one.add_argument("--amp", choices=("none", "bf16"), default="none", help="precision (default none: float32)")
    one.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:N")


def _add_acquisition(one: argparse.ArgumentParser) -> None:
    one.add_argument("--candidates", type=int, default=300, help="frames to choose from (default 300)")
    one.add_argument("--picks", type=int, default=100, help="frames to pick (default 100)")
    one.add_argument("--boxes", type=float, default=12, help="boxes a frame, on average (default 12)")
    one.add_argument("--seed", type=int, default=0, help="of the synthetic frames (default 0)")


def _add_waymo(one: argparse.ArgumentParser) -> None:
    one.add_argument("--frames", type=int, default=2000, help="default 2000")
    one.add_argument("--boxes", type=int, default=60, help="objects a frame (default 60)")
    one.add_argument("--predictions", type=int, default=100, help="predictions a frame (default 100)")
    one.add_argument("--python", type=Path, metavar="PATH", help="Python with the op (default: $KECOR_WAYMO_PYTHON)")
    one.add_argument("--seed", type=int, default=0, help="of the synthetic frames (default 0)")


@main_guard
def main() -> None:
    options: dict[str, Any] = vars(build_parser().parse_args())
    name = options.pop("name")

    from kecor.engine.malloc import tune_malloc

    tune_malloc()
    benchmark = getattr(import_module(f"kecor.benchmarks.{name}"), f"benchmark_{name}")
    print(benchmark(**options))
