"""Evaluate KITTI result files: 2D, bird's-eye-view and 3D AP, and average orientation similarity (AOS)."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

from kecor.cli.guard import command_parser, main_guard, output_file, writing
from kecor.errors import ConfigError

EXAMPLE = """example:
  python tools/eval_kitti.py --gt-dir data/kitti/training/label_2 --det-dir results \\
      --ids data/kitti/ImageSets/val.txt --out ap.json
"""
CLASSES = ("Car", "Pedestrian", "Cyclist")


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__, EXAMPLE)
    parser.add_argument("--gt-dir", type=Path, required=True, help="folder of label files")
    parser.add_argument("--det-dir", type=Path, required=True, help="folder of result files, one per frame")
    parser.add_argument("--ids", type=Path, help="file with the frame ids to evaluate (default: all label files)")
    parser.add_argument("--classes", nargs="+", default=CLASSES, help=f"default: {' '.join(CLASSES)}")
    parser.add_argument(
        "--overlaps", choices=("strict", "loose"), default="strict", help="strict (default, official) or loose"
    )
    own = "minimum overlap of a match (default for a user class: 0.5; for BEV and 3D with --overlaps loose: 0.25)"
    parser.add_argument("--overlap", nargs="+", default=[], metavar="CLASS=IOU", help=own)
    parser.add_argument("--out", type=output_file, required=True, help="JSON file to write")
    return parser


def own_overlaps(texts: list[str], classes: list[str]) -> dict[str, float]:
    """Parse ``CLASS=IOU`` texts to class -> minimum overlap.

    Raises:
        ConfigError: a text has another form, an unknown class or a value out of range.
    """
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if name not in classes or not 0 <= found[name] < 1:
            raise ConfigError(
                f"--overlap {text}: expected CLASS=IOU with a class of {' '.join(classes)} and 0 <= IOU < 1"
            )
    return found


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Print a warning as one line; replaces :func:`warnings.showwarning`."""
    print(f"warning: {message}", file=sys.stderr)


@main_guard
def main() -> None:
    arguments = build_parser().parse_args()
    own = own_overlaps(arguments.overlap, arguments.classes)
    warnings.showwarning = show_warning

    from kecor.evaluation.kitti.evaluate import evaluate_pairs
    from kecor.evaluation.kitti.files import read_folders, read_ids
    from kecor.evaluation.kitti.pairs import pair_frames
    from kecor.evaluation.kitti.roles import count, remarks, unlabelled
    from kecor.files import write_json
    from kecor.tables import format_table

    ids = read_ids(arguments.ids) if arguments.ids else None
    gt, det = read_folders(arguments.gt_dir, arguments.det_dir, ids, progress=True)
    pairs = pair_frames(gt, det)
    for remark in [*remarks(pairs), *unlabelled(pairs, arguments.classes)]:
        warnings.warn(remark, stacklevel=1)
    result = evaluate_pairs(pairs, arguments.classes, arguments.overlaps, own)
    with writing(arguments.out):
        write_json(arguments.out, result)
    levels = ["easy", "moderate", "hard"]
    counted = [[name, kind, *n] for name, kinds in count(pairs, arguments.classes).items() for kind, n in kinds.items()]
    print(format_table(["class", "counted", *levels], counted))
    rows = [
        [name, metric, recall, *values]
        for name, metrics in result.items()
        for metric, by_recall in metrics.items()
        for recall, values in by_recall.items()
    ]
    print(f"{len(gt)} frames, {arguments.overlaps} overlaps, percent:")
    print(format_table(["class", "metric", "recall", *levels], rows))
