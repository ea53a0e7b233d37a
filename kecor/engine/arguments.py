"""The command-line arguments that the tools which run a detector share."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.engine.launch import LAUNCHERS


def run_parser(description: str, example: str, default_work_dir: str) -> argparse.ArgumentParser:
    """A parser with what every tool that runs a detector takes: CONFIG and how and where to run it."""
    parser = argparse.ArgumentParser(
        description=description, epilog=example, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="YAML config file")
    parser.add_argument("--work-dir", type=Path, metavar="DIR", help=f"where to write (default: {default_work_dir})")
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    parser.add_argument("--launcher", default="none", choices=LAUNCHERS, help="how the processes were started")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values")
    return parser


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the tools that train take besides."""
    parser.add_argument("--resume", action="store_true", help="go on with the run in the work dir, if there is one")
    parser.add_argument("--pretrained", type=Path, metavar="FILE", help="start from these weights, OpenPCDet's or ours")
