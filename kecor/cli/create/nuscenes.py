"""``create-data nuscenes``: check nuScenes as downloaded."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "check nuScenes as downloaded; nothing is converted"
EXAMPLE = "python tools/create_data.py nuscenes --root data/nuscenes --version v1.0-mini --splits mini_train mini_val"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--root", type=Path, required=True, help="folder that holds the version, samples and sweeps")
    parser.add_argument("--version", default="v1.0-trainval", help="folder of the tables (default: v1.0-trainval)")
    parser.add_argument("--splits", nargs="+", default=["train", "val"], help="splits to check (default: train val)")


def run(arguments: argparse.Namespace) -> int:
    """Read the tables and up to 100 frames of each split, and say what was found."""
    from kecor.cli.create.accounts import print_account
    from kecor.datasets.nuscenes.devkit import load_tables, sample_tokens

    tables = load_tables(arguments.root, arguments.version)
    for split in arguments.splits:
        print(f"{split}: {len(sample_tokens(tables, split))} key frames")
    print_account("nuscenes/second.yaml", arguments.root, arguments.splits, version=arguments.version)
    return 0
