"""Train a detector on a whole training split and measure it on the validation split."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kecor.cli import main_guard
from kecor.config import load_config
from kecor.engine import launch
from kecor.engine.arguments import add_training_arguments, run_parser
from kecor.engine.evaluate import result_table
from kecor.engine.jobs import train_job
from kecor.engine.malloc import tune_malloc

EXAMPLE = """example:
  python tools/train.py configs/simulated/second_small.yaml --work-dir work_dirs/full --cfg-options schedule.epochs=20
"""


def parse_arguments() -> argparse.Namespace:
    parser = run_parser(__doc__, EXAMPLE, "work_dirs/CONFIG")
    add_training_arguments(parser)
    return parser.parse_args()


@main_guard
def main() -> None:
    arguments = parse_arguments()
    tune_malloc()
    work_dir = arguments.work_dir or Path("work_dirs") / arguments.config.stem
    result = train_job(
        load_config(arguments.config, arguments.cfg_options),
        work_dir,
        device=arguments.device,
        launcher=arguments.launcher,
        resume=arguments.resume,
        pretrained=arguments.pretrained,
    )
    if launch.is_main():
        print(result_table(result))
        print(f"weights: {work_dir / 'checkpoint.pth'}\nmetrics: {work_dir / 'metrics.json'}")
    launch.leave()


if __name__ == "__main__":
    sys.exit(main())
