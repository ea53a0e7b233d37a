"""Evaluate KITTI result files: AP on the image, in bird's-eye view and in 3D, and average orientation similarity."""

from __future__ import annotations

from pathlib import Path

from kecor.cli.guard import command_parser, main_guard, writing

EXAMPLE = """example:
  python tools/eval_kitti.py --gt-dir data/kitti/training/label_2 --det-dir results \\
      --ids data/kitti/ImageSets/val.txt --out ap.json
"""


@main_guard
def main() -> None:
    parser = command_parser(__doc__, EXAMPLE)
    parser.add_argument("--gt-dir", type=Path, required=True, help="folder of label files")
    parser.add_argument("--det-dir", type=Path, required=True, help="folder of result files, one a frame")
    parser.add_argument("--ids", type=Path, help="file of the frame ids to evaluate (default: all result files)")
    parser.add_argument("--overlaps", choices=("strict", "loose"), default="strict", help="default: strict, official")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()

    from kecor.evaluation.kitti.evaluate import evaluate
    from kecor.evaluation.kitti.files import read_folders, read_ids
    from kecor.files import write_json
    from kecor.tables import format_table

    ids = read_ids(arguments.ids) if arguments.ids else None
    gt, det = read_folders(arguments.gt_dir, arguments.det_dir, ids, progress=True)
    result = evaluate(gt, det, overlaps=arguments.overlaps)
    with writing(arguments.out):
        write_json(arguments.out, result)
    rows = [
        [name, metric, recall, *levels]
        for name, metrics in result.items()
        for metric, by_recall in metrics.items()
        for recall, levels in by_recall.items()
    ]
    print(f"{len(gt)} frames, {arguments.overlaps} overlaps, percent:")
    print(format_table(["class", "metric", "recall", "easy", "moderate", "hard"], rows))
