#!/usr/bin/env python3
"""Measure parts of kecor beside plain references, in one run; print ratios. Nothing here passes or fails on a time."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.selection import ARRANGEMENTS, CONTENDERS, benchmark_selection

from kecor.cli import main_guard

EXAMPLE = """examples:
  python tools/benchmark.py selection
  python tools/benchmark.py selection --frames 1000 10000 158000 --arrangements per_roi --contenders float32 bfloat16
"""


def parse_args() -> argparse.Namespace:
    shape = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EXAMPLE}
    parser = argparse.ArgumentParser(description=__doc__, **shape)
    commands = parser.add_subparsers(required=True, dest="name", metavar="{selection}")
    one = commands.add_parser("selection", help="KECOR's selection", description=benchmark_selection.__doc__, **shape)
    one.add_argument("--frames", nargs="+", type=int, default=[3612, 10000], help="sizes of the pool")
    one.add_argument("--arrangements", nargs="+", choices=ARRANGEMENTS, default=list(ARRANGEMENTS))
    one.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    one.add_argument("--plain-limit", type=int, default=10000, help="largest pool given to plain and float64")
    one.add_argument("--picks", type=int, default=100, help="frames to pick")
    one.add_argument("--labelled", type=int, default=100, help="labelled frames")
    one.add_argument("--rois", type=int, default=128, help="RoIs a frame")
    one.add_argument("--channels", type=int, default=256, help="channels of a RoI feature")
    one.add_argument("--folder", type=Path, help="where to put the features, 65 kB a frame (default: /tmp or $TMPDIR)")
    one.add_argument("--device", default="cpu", help="where our selectors run; plain runs on the CPU")
    return parser.parse_args()


@main_guard
def main() -> None:
    args = parse_args()
    options = {key: value for key, value in vars(args).items() if key not in ("name", "frames")}
    print(benchmark_selection(sizes=args.frames, **options))


if __name__ == "__main__":
    raise SystemExit(main())
