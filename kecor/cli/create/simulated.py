"""``create-data simulated``: simulate LiDAR sweeps."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "simulate a LiDAR data set"
EXAMPLE = "python tools/create_data.py simulated --out data/simulated --frames 400 --seed 0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--frames", type=int, required=True, help="number of frames; a quarter is for val")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    parser.add_argument("--layouts", type=Path, metavar="LABEL_DIR", help="replay the scenes of KITTI label files")
    parser.add_argument("--full-sweep", action="store_true", help="keep all 360 degrees, not only the camera's view")


def run(arguments: argparse.Namespace) -> int:
    """Write a simulated data set and print what it holds."""
    from kecor.datasets.kitti.check import check_dataset, summary
    from kecor.simulation import write_dataset

    write_dataset(
        arguments.out,
        arguments.frames,
        arguments.seed,
        layouts=arguments.layouts,
        full_sweep=arguments.full_sweep,
    )
    print(summary(check_dataset(arguments.out)))
    print(f"data set: {arguments.out}")
    return 0
