#!/usr/bin/env python3
"""Evaluate KITTI result files: average precision on the image, from above and in space, and orientation."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.cli import main_guard
from kecor.errors import DataError
from kecor.evaluation.kitti import KittiResult, evaluate
from kecor.evaluation.kitti_files import read_folders, read_ids
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
    parser.add_argument("--ids", type=Path, help="file of the frame ids to evaluate (default: all result files)")
    parser.add_argument("--overlaps", choices=("strict", "loose"), default="strict", help="default: strict, official")
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


@main_guard
def main() -> None:
    args = parse_args()
    ids = read_ids(args.ids) if args.ids else None
    gt, det = read_folders(args.gt_dir, args.det_dir, ids, progress=True)
    result = evaluate(gt, det, overlaps=args.overlaps)
    try:
        write_json(args.out, result)
    except OSError as error:
        raise DataError(f"{args.out}: cannot be written: {error.strerror}") from error
    print(f"{len(gt)} frames, {args.overlaps} overlaps, percent:")
    print(table(result))


if __name__ == "__main__":
    raise SystemExit(main())
