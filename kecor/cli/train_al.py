"""Active learning in rounds: train, evaluate, run the detector over the pool, select frames, buy their labels."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from kecor.cli.arguments import add_training_arguments, run_parser
from kecor.cli.guard import main_guard
from kecor.errors import StateError

EXAMPLE = """example:
  python tools/train_al.py configs/simulated/second_small.yaml --method kecor --work-dir work_dirs/first \\
      --set active.rounds=2 seed=1
"""


def open_log(path: Path) -> logging.Logger:
    """A logger that writes messages to the screen and, with the time, to ``path``; errors go to the file alone.

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
    parser = run_parser(__doc__, EXAMPLE, "work_dirs/CONFIG_METHOD")
    add_training_arguments(parser)
    parser.add_argument(
        "--method",
        metavar="NAME",
        help="acquisition method, in place of the config's: kecor, random, ..., a plug-in, or a YAML file",
    )
    parser.add_argument("--round-0", type=Path, metavar="DIR", help="take round 0 from this run of any method")
    parser.add_argument(
        "--accept-missing", action="store_true", help="put frames that annotators have not labelled back into the pool"
    )
    arguments = parser.parse_args()

    from kecor.active.loop import run
    from kecor.active.summary import summary_table
    from kecor.config import load_config
    from kecor.engine import launch
    from kecor.engine.malloc import tune_malloc

    tune_malloc()
    config = load_config(arguments.config, arguments.cfg_options, arguments.method)
    name = "_".join([arguments.config.stem, *([Path(arguments.method).stem] if arguments.method else [])])
    work_dir = arguments.work_dir or Path("work_dirs") / name
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
            accept_missing=arguments.accept_missing,
            log=logger.info,
        )
    except Exception as error:
        logger.error("stopped: %s: %s", type(error).__name__, error)
        raise
    if launch.is_main() and rows:
        logger.info("\n%s\n", summary_table(rows, config))
        for name in ("summary.csv", "curve.png", "report.html"):
            logger.info("%s", work_dir / name)
    launch.leave()
