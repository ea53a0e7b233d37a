"""Measure a checkpoint on a labelled split and write its detections as KITTI result files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kecor.cli import main_guard
from kecor.config import load_config
from kecor.engine import launch
from kecor.engine.arguments import run_parser
from kecor.engine.evaluate import result_table
from kecor.engine.jobs import evaluate_job
from kecor.engine.malloc import tune_malloc

EXAMPLE = """example:
  python tools/test.py configs/simulated/second_small.yaml work_dirs/full/checkpoint.pth --split val
"""


def parse_arguments() -> argparse.Namespace:
    parser = run_parser(__doc__, EXAMPLE, "work_dirs/CONFIG_SPLIT")
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="weights: ours or OpenPCDet's")
    parser.add_argument("--split", default="val", help="train, val (default), or the name of a split list")
    return parser.parse_args()


@main_guard
def main() -> None:
    arguments = parse_arguments()
    tune_malloc()
    work_dir = arguments.work_dir or Path("work_dirs") / f"{arguments.config.stem}_{arguments.split}"
    result = evaluate_job(
        load_config(arguments.config, arguments.cfg_options),
        arguments.checkpoint,
        arguments.split,
        work_dir,
        device=arguments.device,
        launcher=arguments.launcher,
    )
    if launch.is_main():
        print(result_table(result))
        print(f"detections: {work_dir / 'results'}\nmetrics: {work_dir / 'metrics.json'}")
    launch.leave()


if __name__ == "__main__":
    sys.exit(main())
