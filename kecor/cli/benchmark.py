"""Benchmark parts of kecor against plain references in the same run and print the ratios."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from kecor.cli.guard import command_parser, main_guard

EXAMPLE = """examples:
  python tools/benchmark.py selection
  python tools/benchmark.py detector configs/kitti/second.yaml --frame training/velodyne/000010.bin --train
  python tools/benchmark.py reading configs/waymo/second_small.yaml --set data.root=data/waymo
  python tools/benchmark.py gate configs/simulated/study.yaml --frames 60 --seeds 0 1 2 3
  python tools/benchmark.py acquisition --candidates 300 --picks 100
  python tools/benchmark.py resilience --kills 50 --damages 40
  python tools/benchmark.py selection --frames 1000 10000 158000 --arrangements per_roi --contenders float32 bfloat16
"""
ARRANGEMENTS = ("per_roi", "flatten")
CONTENDERS = ("plain", "float64", "float32", "bfloat16")


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__, EXAMPLE)
    commands = parser.add_subparsers(required=True, dest="name", metavar="BENCHMARK")
    _add_selection(commands.add_parser("selection", help="KECOR's selection against a plain reference"))
    _add_detector(commands.add_parser("detector", help="inference and training of detectors by stage"))
    _add_acquisition(commands.add_parser("acquisition", help="CRB's density balancing against a plain reference"))
    _add_waymo(commands.add_parser("waymo_metric", help="Waymo's metrics against the official op"))
    _add_resilience(commands.add_parser("resilience", help="runs that are killed or damaged, and resumed"))
    _add_reading(commands.add_parser("reading", help="a data set's reader beside the training step"))
    _add_gate(commands.add_parser("gate", help="whether crowded frames train a better detector than sparse ones"))
    return parser


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a config file")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="options", help="override the config")
    parser.add_argument("--frames", type=int, default=20, help="labelled training frames to use (default 20)")


def _add_gate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a config file")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="options", help="override the config")
    parser.add_argument("--frames", type=int, default=60, help="frames of a training (default 60)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3], metavar="N", help="default: 0 1 2 3")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/gate"), help="default: work_dirs/gate")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:N")


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", nargs="+", type=int, default=[3612, 10000], help="pool sizes", dest="sizes")
    parser.add_argument("--arrangements", nargs="+", choices=ARRANGEMENTS, default=list(ARRANGEMENTS))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--plain-limit", type=int, default=10000, help="largest pool for plain and float64")
    parser.add_argument("--picks", type=int, default=100, help="frames to pick")
    parser.add_argument("--labelled", type=int, default=100, help="labelled frames")
    parser.add_argument("--rois", type=int, default=128, help="RoIs per frame")
    parser.add_argument("--channels", type=int, default=256, help="channels of an RoI feature")
    parser.add_argument("--folder", type=Path, help="folder of the features, 65 kB per frame (default: $TMPDIR)")
    parser.add_argument("--device", default="cpu", help="device of our selectors; plain runs on the CPU")


def _add_detector(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("configs", nargs="*", type=Path, metavar="CONFIG", help="default: all in configs/kitti")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--frame", type=Path, metavar="FILE.bin", help="a point cloud in KITTI's format")
    source.add_argument("--data-root", metavar="ROOT", help="root of a data set, instead of the config's")
    parser.add_argument("--frame-id", metavar="ID", help="frame of the data set (default: first of validation)")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="weights, ours or OpenPCDet's (default: random)"
    )
    parser.add_argument("--repeat", type=int, default=5, help="number of runs; the fastest counts (default 5)")
    parser.add_argument("--train", action="store_true", help="also time a training step")
    parser.add_argument("--amp", choices=("none", "bf16"), default="none", help="precision (default none: float32)")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:N")


def _add_acquisition(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--candidates", type=int, default=300, help="frames to choose from (default 300)")
    parser.add_argument("--picks", type=int, default=100, help="frames to pick (default 100)")
    parser.add_argument("--boxes", type=float, default=12, help="mean number of boxes per frame (default 12)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the synthetic frames (default 0)")


def _add_waymo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=int, default=2000, help="number of frames (default 2000)")
    parser.add_argument("--boxes", type=int, default=60, help="objects per frame (default 60)")
    parser.add_argument("--predictions", type=int, default=100, help="predictions per frame (default 100)")
    parser.add_argument("--python", type=Path, metavar="PATH", help="Python with the op (default: $KECOR_WAYMO_PYTHON)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the synthetic frames (default 0)")


def _add_resilience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=50, help="number of kills (default 50)")
    parser.add_argument("--damages", type=int, default=40, help="number of damaged files (default 40)")
    parser.add_argument("--seed", type=int, default=0, help="seed of moments, files and damages (default 0)")
    parser.add_argument("--folder", type=Path, help="folder of the runs (default: $TMPDIR)")
    parser.add_argument("--data-root", type=Path, metavar="ROOT", help="a set in KITTI's layout (default: simulated)")


@main_guard
def main() -> None:
    options: dict[str, Any] = vars(build_parser().parse_args())
    name = options.pop("name")

    from kecor.engine.malloc import tune_malloc

    tune_malloc()
    benchmark = getattr(import_module(f"kecor.benchmarks.{name}"), f"benchmark_{name}")
    print(benchmark(**options))
