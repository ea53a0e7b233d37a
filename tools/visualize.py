#!/usr/bin/env python3
"""Draw a frame of a KITTI-layout data set from above, or write the report of an active-learning run anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.cli import main_guard
from kecor.datasets.kitti import KittiDataset
from kecor.errors import DataError
from kecor.frame_ids import check_frame_id
from kecor.visualization.bird_eye import write_frame
from kecor.visualization.report import update_report
from kecor.visualization.results import read_detections

EXAMPLE = """examples:
  python tools/visualize.py frame --root data/kitti --id 000007 --detections results/000007.txt --out 000007.png
  python tools/visualize.py report --work-dir work_dirs/kecor_small
"""


def parse_args() -> argparse.Namespace:
    shape = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EXAMPLE}
    parser = argparse.ArgumentParser(description=__doc__, **shape)
    commands = parser.add_subparsers(required=True, metavar="{frame,report}")
    frame = commands.add_parser("frame", help="draw one frame: points, labelled and detected boxes", **shape)
    frame.add_argument("--root", type=Path, required=True, help="folder of the data set, which holds ImageSets")
    frame.add_argument("--id", required=True, help="frame id")
    frame.add_argument("--split", default="train", help="split whose folder holds the frame (default: train)")
    frame.add_argument("--classes", nargs="+", default=["Car", "Pedestrian", "Cyclist"], help="classes to draw")
    frame.add_argument("--detections", type=Path, help="KITTI result file of the frame")
    frame.add_argument("--out", type=Path, required=True, help="PNG file to write")
    frame.set_defaults(run=draw)
    report = commands.add_parser("report", help="rewrite curve.png and report.html of a run", **shape)
    report.add_argument("--work-dir", type=Path, required=True, help="folder of the run")
    report.set_defaults(run=lambda args: update_report(args.work_dir))
    return parser.parse_args()


def draw(args: argparse.Namespace) -> Path:
    """Write the picture the command ``frame`` asks for; its path."""
    dataset = KittiDataset(args.root, args.split, args.classes)
    frame = dataset.read(check_frame_id(args.id, "--id"), labels=args.split != "test")
    found = read_detections(args.detections, frame.calib, args.classes) if args.detections else None
    write_frame(args.out, frame, found, args.classes)
    return args.out


@main_guard
def main() -> None:
    args = parse_args()
    try:
        print(args.run(args))
    except OSError as error:
        raise DataError(f"{error.filename or 'output'}: cannot be written: {error.strerror or error}") from error


if __name__ == "__main__":
    raise SystemExit(main())
