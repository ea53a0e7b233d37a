"""Draw a frame in bird's-eye view, or write the report of an active-learning run again."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.cli.guard import command_parser, main_guard, writing

EXAMPLE = """examples:
  python tools/visualize.py frame --root data/kitti --id 000007 --detections results/000007.txt --out 000007.png
  python tools/visualize.py report --work-dir work_dirs/first
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__, EXAMPLE)
    commands = parser.add_subparsers(required=True, metavar="{frame,report}")
    frame = commands.add_parser("frame", help="draw one frame: points, labelled and detected boxes")
    frame.add_argument("--root", type=Path, required=True, help="folder of a data set in the KITTI layout")
    frame.add_argument("--id", required=True, help="frame id")
    frame.add_argument("--split", default="train", help="split whose folder holds the frame (default: train)")
    frame.add_argument("--classes", nargs="+", default=["Car", "Pedestrian", "Cyclist"], help="classes to draw")
    frame.add_argument("--detections", type=Path, help="KITTI result file of the frame")
    frame.add_argument("--out", type=Path, required=True, help="PNG file to write")
    frame.set_defaults(run=draw)
    report = commands.add_parser("report", help="write curve.png and report.html of a run again")
    report.add_argument("--work-dir", type=Path, required=True, help="folder of the run")
    report.set_defaults(run=rewrite)
    return parser


def draw(arguments: argparse.Namespace) -> Path:
    """Write the picture of a frame; returns its path."""
    from kecor.datasets.kitti.dataset import KittiDataset
    from kecor.frame_ids import check_frame_id
    from kecor.visualization.bird_eye import write_frame
    from kecor.visualization.results import read_detections

    classes = arguments.classes
    dataset = KittiDataset(arguments.root, arguments.split, classes)
    frame = dataset.read(check_frame_id(arguments.id, "--id"), labels=arguments.split != "test")
    found = read_detections(arguments.detections, frame.calib, classes) if arguments.detections else None
    write_frame(arguments.out, frame, found, classes)
    return arguments.out


def rewrite(arguments: argparse.Namespace) -> Path:
    """Write the report of a run again; returns its path."""
    from kecor.visualization.report import update_report

    return update_report(arguments.work_dir)


@main_guard
def main() -> None:
    arguments = build_parser().parse_args()
    with writing(getattr(arguments, "out", Path("the report"))):
        print(arguments.run(arguments))
