"""Train a detector on a whole training split and measure it on the validation split."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kecor.cli import main_guard
from kecor.config import load_config
from kecor.engine import launch
from kecor.engine.evaluate import result_table
from kecor.engine.jobs import train_job
from kecor.engine.malloc import tune_malloc

EXAMPLE = """example:
  python tools/train.py configs/simulated/second_small.yaml --work-dir work_dirs/full --cfg-options schedule.epochs=20
"""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="YAML config file")
    parser.add_argument("--work-dir", type=Path, metavar="DIR", help="where to write (default: work_dirs/CONFIG)")
    parser.add_argument("--resume", action="store_true", help="go on with the training in the work dir")
    parser.add_argument("--pretrained", type=Path, metavar="FILE", help="weights to start from, OpenPCDet's or ours")
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    parser.add_argument("--launcher", default="none", choices=launch.LAUNCHERS, help="how the processes were started")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values")
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
