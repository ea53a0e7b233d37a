"""Evaluate a checkpoint on a split and write its detections as result files."""

from __future__ import annotations

from pathlib import Path

from kecor.cli.arguments import run_parser
from kecor.cli.guard import main_guard

EXAMPLE = """example:
  python tools/test.py configs/simulated/second_small.yaml work_dirs/full/checkpoint.pth --split val
"""


@main_guard
def main() -> None:
    parser = run_parser(__doc__, EXAMPLE, "work_dirs/CONFIG_SPLIT")
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="checkpoint file of kecor or OpenPCDet")
    parser.add_argument("--split", default="val", help="train, val (default) or another split")
    arguments = parser.parse_args()

    from kecor.config import load_config
    from kecor.engine import launch
    from kecor.engine.jobs import evaluate_job
    from kecor.engine.malloc import tune_malloc
    from kecor.evaluation import result_text

    tune_malloc()
    config = load_config(arguments.config, arguments.cfg_options)
    work_dir = arguments.work_dir or Path("work_dirs") / f"{arguments.config.stem}_{arguments.split}"
    result = evaluate_job(
        config,
        arguments.checkpoint,
        arguments.split,
        work_dir,
        device=arguments.device,
        launcher=arguments.launcher,
    )
    if launch.is_main():
        print(result_text(config.evaluation, result))
        print(f"detections: {work_dir / 'results'}\nmetrics: {work_dir / 'metrics.json'}")
    launch.leave()
