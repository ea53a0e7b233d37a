"""Evaluate a nuScenes result file with nuscenes-devkit: mean AP, NDS, AP per class and true-positive errors."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.cli.guard import command_parser, main_guard, output_file, writing

EXAMPLE = """example:
  python tools/eval_nuscenes.py --root data/nuscenes --version v1.0-trainval --split val \\
      --results results_nusc.json --out metrics.json
"""


def parse_args() -> argparse.Namespace:
    parser = command_parser(__doc__, EXAMPLE)
    parser.add_argument("--root", type=Path, required=True, help="data set folder")
    parser.add_argument("--version", default="v1.0-trainval", help="folder of the tables (default: %(default)s)")
    parser.add_argument("--split", default="val", help="split of the result file (default: %(default)s)")
    parser.add_argument("--results", type=Path, required=True, help="JSON result file with all samples of the split")
    parser.add_argument("--out", type=output_file, required=True, help="JSON file to write")
    return parser.parse_args()


@main_guard
def main() -> None:
    args = parse_args()
    from kecor.datasets.nuscenes.categories import CLASSES
    from kecor.datasets.nuscenes.dataset import NuscenesDataset
    from kecor.evaluation.nuscenes.metric import NuscenesMetric
    from kecor.evaluation.nuscenes.results_file import read_results
    from kecor.files import write_json
    from kecor.tables import format_table

    dataset = NuscenesDataset(args.root, args.split, CLASSES, args.version)
    results = read_results(args.results, dataset.ids)
    metric = NuscenesMetric()
    result = metric.measure(dataset, results)
    with writing(args.out):
        write_json(args.out, result)
    for table in metric.tables(result):
        print(f"{table.title}:\n{format_table(table.header, table.rows)}")
