"""Train a detector on the whole training split and evaluate it on the validation split."""

from __future__ import annotations

from pathlib import Path

from kecor.cli.arguments import add_training_arguments, run_parser
from kecor.cli.guard import main_guard

EXAMPLE = """example:
  python tools/train.py configs/simulated/second_small.yaml --work-dir work_dirs/full --set schedule.epochs=20
"""


@main_guard
def main() -> None:
    parser = run_parser(__doc__, EXAMPLE, "work_dirs/CONFIG")
    add_training_arguments(parser)
    arguments = parser.parse_args()

    from kecor.config import load_config
    from kecor.engine import launch
    from kecor.engine.jobs import train_job
    from kecor.engine.malloc import tune_malloc
    from kecor.evaluation import result_text

    tune_malloc()
    config = load_config(arguments.config, arguments.cfg_options)
    work_dir = arguments.work_dir or Path("work_dirs") / arguments.config.stem
    result = train_job(
        config,
        work_dir,
        device=arguments.device,
        launcher=arguments.launcher,
        resume=arguments.resume,
        pretrained=arguments.pretrained,
    )
    if launch.is_main():
        print(result_text(config.evaluation, result))
        print(f"weights: {work_dir / 'checkpoint.pth'}\nmetrics: {work_dir / 'metrics.json'}")
    launch.leave()
