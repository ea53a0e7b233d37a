"""Prepare a data set: check real files, or simulate sweeps."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from kecor.cli.guard import command_parser, main_guard, writing

EXAMPLES = """examples:
  python tools/create_data.py kitti --root data/kitti
  python tools/create_data.py simulated --out data/simulated --frames 400 --seed 0
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__, EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True)
    kitti = commands.add_parser("kitti", help="check every file of a data set in the KITTI object layout")
    kitti.add_argument("--root", type=Path, required=True, help="folder that holds ImageSets and training")
    kitti.add_argument("--out", type=Path, help="index to write (default: ROOT/kecor_index.json, where data sets look)")
    kitti.set_defaults(run=check_kitti)
    simulated = commands.add_parser("simulated", help="simulate a LiDAR data set in the KITTI object layout")
    simulated.add_argument("--out", type=Path, required=True, help="folder to write")
    simulated.add_argument("--frames", type=int, required=True, help="number of frames; a quarter is for val")
    simulated.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    simulated.add_argument("--layouts", type=Path, metavar="LABEL_DIR", help="replay the scenes of KITTI label files")
    simulated.add_argument("--full-sweep", action="store_true", help="keep all 360 degrees, not only the camera's view")
    simulated.set_defaults(run=simulate)
    return parser


def check_kitti(arguments: argparse.Namespace) -> int:
    """Check a data set, print its faults and write its index; 1 when no frame can be used."""
    from kecor.datasets.kitti.check import check_dataset, summary, usable
    from kecor.datasets.kitti.index import INDEX_NAME
    from kecor.files import write_json

    index = check_dataset(arguments.root)
    for problem in index["problems"]:
        print(f"warning: {problem['problem']}; {problem['action']}")
    print(summary(index))
    actions = Counter(problem["action"] for problem in index["problems"])
    counts = ", ".join(f"{action} {n}x" for action, n in actions.items()) or "no fault found"
    print(f"{len(usable(index))} of {len(index['frames'])} frames can be used; {counts}")
    out = arguments.out or arguments.root / INDEX_NAME
    with writing(out):
        write_json(out, index)
    print(f"index: {out}")
    return 0 if usable(index) else 1


def simulate(arguments: argparse.Namespace) -> int:
    """Write a simulated data set and print what it holds."""
    from kecor.datasets.kitti.check import check_dataset, summary
    from kecor.simulation import write_dataset

    write_dataset(
        arguments.out,
        arguments.frames,
        arguments.seed,
        layouts=arguments.layouts,
        full_sweep=arguments.full_sweep,
    )
    print(summary(check_dataset(arguments.out)))
    print(f"data set: {arguments.out}")
    return 0


@main_guard
def main() -> int:
    arguments = build_parser().parse_args()
    return arguments.run(arguments)
