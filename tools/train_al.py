"""Active learning in rounds: train, evaluate, look at the pool, select frames, buy their labels; and again."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from kecor.active import run
from kecor.active.summary import summary_table
from kecor.cli import main_guard
from kecor.config import load_config
from kecor.engine import launch
from kecor.engine.arguments import add_training_arguments, run_parser
from kecor.engine.malloc import tune_malloc
from kecor.errors import StateError

EXAMPLE = """example:
  python tools/train_al.py configs/simulated/second_small_kecor.yaml --work-dir work_dirs/first \\
      --cfg-options active.rounds=2 seed=1
"""


def parse_arguments() -> argparse.Namespace:
    parser = run_parser(__doc__, EXAMPLE, "work_dirs/CONFIG")
    add_training_arguments(parser)
    parser.add_argument(
        "--round-0", type=Path, metavar="DIR", help="take over round 0 from this run, which may be of another method"
    )
    return parser.parse_args()


def open_log(path: Path) -> logging.Logger:
    """A logger that writes news to the screen as they are, and with the time to ``path``; errors to the file alone.

    Raises:
        StateError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise StateError(f"--work-dir {path.parent}: cannot be written: {error.strerror or error}") from error
    logger = logging.getLogger("kecor.train_al")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    screen = logging.StreamHandler(sys.stdout)
    screen.addFilter(lambda record: record.levelno == logging.INFO)
    logger.handlers = [file, screen]
    return logger


@main_guard
def main() -> None:
    arguments = parse_arguments()
    tune_malloc()
    config = load_config(arguments.config, arguments.cfg_options)
    work_dir = arguments.work_dir or Path("work_dirs") / arguments.config.stem
    logger = open_log(work_dir / "train_al.log")
    try:
        rows = run(
            config,
            work_dir,
            device=arguments.device,
            launcher=arguments.launcher,
            resume=arguments.resume,
            pretrained=arguments.pretrained,
            round_0=arguments.round_0,
            log=logger.info,
        )
    except Exception as error:
        logger.error("stopped: %s: %s", type(error).__name__, error)
        raise
    if launch.is_main():
        logger.info("\n%s\n", summary_table(rows, config.data.classes))
        for name in ("summary.csv", "curve.png", "report.html"):
            logger.info("%s", work_dir / name)
    launch.leave()


if __name__ == "__main__":
    sys.exit(main())
