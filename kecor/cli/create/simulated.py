"""``create-data simulated``: simulate LiDAR sweeps."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.errors import ConfigError
from kecor.lock import locked

HELP = "simulate a LiDAR data set"
EXAMPLE = "python tools/create_data.py simulated --out data/simulated --frames 400 --seed 0"
LAYOUTS = ("kitti", "waymo", "nuscenes", "custom")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--frames", type=int, required=True, help="number of frames; a quarter is for val")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    parser.add_argument("--layout", choices=LAYOUTS, default="kitti", help="whose files to write (default: kitti)")
    parser.add_argument("--layouts", type=Path, metavar="LABEL_DIR", help="kitti: replay the scenes of label files")
    parser.add_argument("--full-sweep", action="store_true", help="kitti: all 360 degrees, not only the camera's view")
    parser.add_argument("--drive", type=int, default=5, help="other layouts: frames of a drive (default: 5)")
    parser.add_argument("--sweeps", type=int, default=10, help="nuscenes: sweeps before a key frame (default: 10)")
    parser.add_argument("--form", default="bin", help="custom: bin (default), npy or pcd")
    parser.add_argument("--labelled", type=float, default=1.0, help="custom: share of train with labels (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Write a simulated data set and print where it is."""
    with locked(arguments.out):
        if arguments.layout == "kitti":
            _kitti(arguments)
        else:
            _drives(arguments)
    print(f"data set: {arguments.out}")
    return 0


def _kitti(arguments: argparse.Namespace) -> None:
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


def _drives(arguments: argparse.Namespace) -> None:
    from kecor.simulation import custom, nuscenes
    from kecor.simulation.waymo import write_waymo

    if arguments.drive < 1 or arguments.frames < arguments.drive:
        raise ConfigError(f"--drive: got {arguments.drive}; expected 1 to the number of --frames")
    drives = -(-arguments.frames // arguments.drive)
    if arguments.layout == "waymo":
        write_waymo(arguments.out, drives, arguments.drive, arguments.seed)
    elif arguments.layout == "nuscenes":
        nuscenes.write_simulated(arguments.out, drives, arguments.drive, arguments.seed, arguments.sweeps)
    else:
        shares = {"form": arguments.form, "labelled": arguments.labelled}
        custom.write_simulated(arguments.out, drives, arguments.drive, arguments.seed, **shares)
