#!/usr/bin/env python3
"""Evaluate KITTI result files: average precision on the image, from above and in space, and orientation."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

from kecor.cli import main_guard
from kecor.errors import ConfigError, DataError
from kecor.evaluation.kitti import CLASSES, KittiResult, evaluate_pairs
from kecor.evaluation.kitti_files import read_folders, read_ids
from kecor.evaluation.kitti_pairs import pair_frames
from kecor.evaluation.kitti_roles import Counts, count, remarks, unlabelled
from kecor.files import write_json
from kecor.tables import format_table

EXAMPLE = """example:
  python tools/eval_kitti.py --gt-dir data/kitti/training/label_2 --det-dir results \\
      --ids data/kitti/ImageSets/val.txt --out ap.json
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gt-dir", type=Path, required=True, help="folder of label files")
    parser.add_argument("--det-dir", type=Path, required=True, help="folder of result files, one a frame")
    parser.add_argument("--ids", type=Path, help="file of the frame ids to evaluate (default: all label files)")
    parser.add_argument("--classes", nargs="+", default=CLASSES, help=f"default: {' '.join(CLASSES)}")
    parser.add_argument("--overlaps", choices=("strict", "loose"), default="strict", help="default: strict, official")
    parser.add_argument(
        "--overlap",
        nargs="+",
        default=[],
        metavar="CLASS=IOU",
        help="what a match must exceed, in every metric (default for a class of your own: 0.5; loose: 0.25 "
        "from above and in space)",
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    return parser.parse_args()


def table(result: KittiResult) -> str:
    """One line for each class, metric and number of recall positions."""
    rows = [
        [name, metric, recall, *levels]
        for name, metrics in result.items()
        for metric, by_recall in metrics.items()
        for recall, levels in by_recall.items()
    ]
    return format_table(["class", "metric", "recall", "easy", "moderate", "hard"], rows)


def counts_table(counts: Counts) -> str:
    """How many labels and detections count at each difficulty."""
    rows = [[name, what, *levels] for name, of_class in counts.items() for what, levels in of_class.items()]
    return format_table(["class", "that count", "easy", "moderate", "hard"], rows)


def own_overlaps(texts: list[str], classes: list[str]) -> dict[str, float]:
    """Class -> overlap of ``CLASS=IOU`` texts. Raises ConfigError for another form, class or range."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if name not in classes or not 0 <= found[name] < 1:
            raise ConfigError(f"--overlap {text}: expected CLASS=IOU, a class of {' '.join(classes)} and 0 <= IOU < 1")
    return found


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Print a warning as one line, in place of :func:`warnings.showwarning`."""
    print(f"warning: {message}", file=sys.stderr)


@main_guard
def main() -> None:
    args = parse_args()
    warnings.showwarning = show_warning
    own = own_overlaps(args.overlap, args.classes)
    ids = read_ids(args.ids) if args.ids else None
    gt, det = read_folders(args.gt_dir, args.det_dir, ids, progress=True)
    pairs = pair_frames(gt, det)
    for remark in [*remarks(pairs), *unlabelled(pairs, args.classes)]:
        warnings.warn(remark, stacklevel=1)
    result = evaluate_pairs(pairs, args.classes, args.overlaps, own)
    try:
        write_json(args.out, result)
    except OSError as error:
        raise DataError(f"{args.out}: cannot be written: {error.strerror}") from error
    print(counts_table(count(pairs, args.classes)))
    print(f"\n{len(gt)} frames, {args.overlaps} overlaps, percent:")
    print(table(result))


if __name__ == "__main__":
    raise SystemExit(main())
