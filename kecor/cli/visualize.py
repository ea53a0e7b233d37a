"""Draw a frame in bird's-eye view, or rewrite the report of an active-learning run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kecor.cli.guard import command_parser, main_guard, output_file, writing
from kecor.errors import KecorError

if TYPE_CHECKING:
    from kecor.active.annotators.stored_labels import StoredLabels

EXAMPLE = """examples:
  python tools/visualize.py frame --root data/kitti --id 000007 --detections results/000007.txt --out 000007.png
  python tools/visualize.py report --work-dir work_dirs/first
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__, EXAMPLE)
    commands = parser.add_subparsers(required=True, metavar="{frame,report}")
    raw = argparse.RawDescriptionHelpFormatter
    text = "draw one frame: points, labelled and detected boxes"
    frame = commands.add_parser("frame", help=text, description=text, epilog=EXAMPLE, formatter_class=raw)
    frame.add_argument("--root", type=Path, required=True, help="data set folder in the KITTI layout")
    frame.add_argument("--id", required=True, help="frame id")
    frame.add_argument("--split", default="train", help="split that holds the frame (default: train)")
    frame.add_argument("--classes", nargs="+", default=["Car", "Pedestrian", "Cyclist"], help="classes to draw")
    frame.add_argument("--detections", type=Path, help="KITTI result file of the frame")
    frame.add_argument("--out", type=output_file, required=True, help="PNG file to write")
    frame.set_defaults(run=draw)
    text = "rewrite report.html of a run and its pictures"
    report = commands.add_parser("report", help=text, description=text, epilog=EXAMPLE, formatter_class=raw)
    report.add_argument("--work-dir", type=Path, required=True, help="run folder")
    report.set_defaults(run=rewrite)
    return parser


def draw(arguments: argparse.Namespace) -> Path:
    """Draw a frame; returns the path of the image."""
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
    """Rewrite the report of a run; returns its path."""
    from kecor.visualization.report import update_report

    return update_report(arguments.work_dir, labelled_frames(arguments.work_dir))


def labelled_frames(work_dir: Path) -> StoredLabels | None:
    """The training split of a run with the labels that annotators returned; None, and a note, where it is not there."""
    from kecor import run_dir
    from kecor.active.annotators.stored_labels import StoredLabels
    from kecor.config import load_config
    from kecor.datasets import build_dataset

    if not (work_dir / run_dir.CONFIG).is_file():
        return None
    try:
        config = load_config(work_dir / run_dir.CONFIG)
        dataset = build_dataset(config.data, config.data.train_split)
    except KecorError as error:
        print(f"note: picks without a picture stay without one: {error}", file=sys.stderr)
        return None
    return StoredLabels(dataset, work_dir / run_dir.LABELS)


@main_guard
def main() -> None:
    arguments = build_parser().parse_args()
    with writing(getattr(arguments, "out", Path("the report"))):
        print(arguments.run(arguments))
