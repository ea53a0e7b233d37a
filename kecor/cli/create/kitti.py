"""``create-data kitti``: check a data set in the KITTI object layout."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from kecor.cli.guard import output_file, writing

HELP = "check every file of a data set in the KITTI object layout"
EXAMPLE = "python tools/create_data.py kitti --root data/kitti"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--root", type=Path, required=True, help="folder that holds ImageSets and training")
    parser.add_argument("--out", type=output_file, help="index to write (default: ROOT/kecor_index.json)")


def run(arguments: argparse.Namespace) -> int:
    """Check a data set, print its faults and write its index; 1 when no frame can be used."""
    from kecor.cli.create.accounts import print_account
    from kecor.datasets.kitti.check import check_dataset, summary, usable
    from kecor.datasets.kitti.index import INDEX_NAME
    from kecor.datasets.kitti.set_warnings import set_warnings
    from kecor.files import write_json

    index = check_dataset(arguments.root)
    for problem in index["problems"]:
        print(f"warning: {problem['problem']}; {problem['action']}")
    for warning in set_warnings(arguments.root, index):
        print(f"warning: {warning}")
    print(summary(index))
    actions = Counter(problem["action"] for problem in index["problems"])
    counts = ", ".join(f"{action} {n}x" for action, n in actions.items()) or "no fault found"
    print(f"{len(usable(index))} of {len(index['frames'])} frames can be used; {counts}")
    out = arguments.out or arguments.root / INDEX_NAME
    with writing(out):
        write_json(out, index)
    print(f"index: {out}")
    if usable(index):
        classes = sorted({name for frame in index["frames"].values() for name in frame["boxes"]})
        print_account("kitti/second.yaml", arguments.root, list(index["splits"])[:1], usable(index), classes)
    return 0 if usable(index) else 1
