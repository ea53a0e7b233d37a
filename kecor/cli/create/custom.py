"""``create-data custom``: check and measure sweeps of your own."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.cli.guard import output_file

HELP = "check your own sweeps, measure them and write a part of a config"
EXAMPLE = "python tools/create_data.py custom --root data/my_sweeps"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    columns = "columns of a .bin or .npy file, such as x y z intensity ring; _ for unused (default: found out)"
    reading = "how labels differ from the convention, such as degrees bottom"
    parser.add_argument("--root", type=Path, required=True, help="folder that holds points and labels")
    parser.add_argument("--out", type=output_file, help="YAML file to write (default: ROOT/kecor_custom.yaml)")
    parser.add_argument("--columns", nargs="+", metavar="NAME", help=columns)
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="classes to train (default: all labelled ones)")
    parser.add_argument("--label-reading", nargs="+", metavar="NAME", default=[], help=reading)
    parser.add_argument("--voxel-size", type=float, metavar="METRES", help="along x and y (default: by the volume)")
    parser.add_argument(
        "--config",
        default="custom/second.yaml",
        metavar="CONFIG",
        help="config that the measured values go on top of (default: custom/second.yaml; on a CPU second_small.yaml)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check and measure the sweeps, write the fragment and draw three frames."""
    from kecor.datasets.custom.create import create
    from kecor.visualization.bird_eye import draw_picks

    outcome, out = create(
        arguments.root,
        arguments.out,
        arguments.columns,
        arguments.classes,
        arguments.label_reading,
        arguments.voxel_size,
        arguments.config,
    )
    shown = outcome.sweeps[:: max(1, len(outcome.sweeps) // 3)][:3]
    picture = out.with_suffix(".png")
    draw_picks([(frame, None, frame.frame_id) for frame in shown], picture, outcome.classes)
    print(f"picture: {picture}; check that the boxes lie on their objects")
    return 0
