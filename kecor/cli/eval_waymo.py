"""Evaluate Waymo detections: 3D AP and APH at LEVEL_1 and LEVEL_2, by type and range."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kecor.cli.guard import command_parser, main_guard, output_file, writing
from kecor.errors import ConfigError

EXAMPLE = """examples:
  python tools/eval_waymo.py --gt ground_truths.bin --det detections.bin --out ap.json
  python tools/eval_waymo.py --arrays arrays.npz --out ap.json
"""


def parse_args() -> argparse.Namespace:
    parser = command_parser(__doc__, EXAMPLE)
    parser.add_argument("--arrays", type=Path, metavar="FILE.npz", help="ground truth and predictions as arrays")
    parser.add_argument("--gt", type=Path, metavar="GT.bin", help="ground truth, a waymo.open_dataset.Objects file")
    parser.add_argument("--det", type=Path, metavar="DET.bin", help="predictions, in the same format")
    parser.add_argument("--out", type=output_file, required=True, metavar="FILE.json", help="JSON file to write")
    parser.add_argument("--official", action="store_true", help="compare with the official TensorFlow op")
    parser.add_argument(
        "--official-python",
        type=Path,
        metavar="PYTHON",
        help="Python interpreter with the op (default: $KECOR_WAYMO_PYTHON)",
    )
    return parser.parse_args()


def read(args: argparse.Namespace) -> tuple[Any, Any]:
    """Read ground truth and predictions from the files given.

    Raises:
        ConfigError: not exactly one kind of input was given.
    """
    from kecor.evaluation.waymo.inputs import read_arrays
    from kecor.evaluation.waymo.objects import read_files

    if args.arrays and not (args.gt or args.det):
        return read_arrays(args.arrays)
    if args.gt and args.det and not args.arrays:
        return read_files(args.gt, args.det)
    raise ConfigError("give either --arrays FILE.npz, or --gt GT.bin and --det DET.bin")


@main_guard
def main() -> None:
    args = parse_args()
    from kecor.evaluation.waymo.detection import BREAKDOWNS, evaluate, summary
    from kecor.evaluation.waymo.official import evaluate_official, official_python
    from kecor.files import write_json
    from kecor.tables import format_table

    python = official_python(args.official_python) if args.official else None
    gt, predictions = read(args)
    rows = summary(evaluate(gt, predictions))
    with writing(args.out):
        write_json(args.out, {"breakdowns": rows})
    header, cells = ["breakdown", "AP", "APH"], [[n, 100 * row["AP"], 100 * row["APH"]] for n, row in rows.items()]
    if python:
        official = evaluate_official(gt, predictions, python, tuple(BREAKDOWNS))["breakdowns"]
        header += ["official AP", "official APH"]
        cells = [[*line, 100 * official[line[0]]["AP"], 100 * official[line[0]]["APH"]] for line in cells]
    print(f"{len(gt)} objects, {len(predictions)} predictions, percent:")
    print(format_table(header, cells))
    if python:
        worst = max(abs(official[n][key] - row[key]) for n, row in rows.items() for key in row)
        print(f"largest difference from the official op: {worst:.1e}")
