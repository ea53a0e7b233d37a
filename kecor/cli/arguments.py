"""Arguments that the commands which run a detector share."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.cli.guard import command_parser

LAUNCHERS = ("none", "pytorch", "slurm")


def run_parser(description: str | None, example: str, default_work_dir: str) -> argparse.ArgumentParser:
    """A parser for a command that runs a detector: CONFIG, and how and where to run it."""
    parser = command_parser(description, example)
    parser.add_argument("config", type=Path, metavar="CONFIG", help="YAML config file")
    parser.add_argument("--work-dir", type=Path, metavar="DIR", help=f"output folder (default: {default_work_dir})")
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    parser.add_argument("--launcher", default="none", choices=LAUNCHERS, help="how the processes were started")
    add_config_options(parser)
    return parser


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``, which overrides values of the config; ``--cfg-options`` is its older name."""
    text = "override config values, as in --set schedule.epochs=20 seed=1"
    for flag, shown in (("--set", text), ("--cfg-options", argparse.SUPPRESS)):
        parser.add_argument(
            flag, nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="cfg_options", help=shown
        )


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the commands that train."""
    parser.add_argument("--resume", action="store_true", help="continue the run in the output folder, if there is one")
    parser.add_argument("--pretrained", type=Path, metavar="FILE", help="initial weights: OpenPCDet's or ours")
