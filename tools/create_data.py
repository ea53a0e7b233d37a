"""Prepare a data set: check real files, or simulate a set."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from kecor.cli import main_guard
from kecor.datasets.waymo import create as waymo
from kecor.errors import DataError

EXAMPLES = """examples:
  python tools/create_data.py kitti --root data/kitti
  python tools/create_data.py simulated --out data/simulated --frames 400 --seed 0
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    kitti = commands.add_parser(
        "kitti",
        help="check every file of a set in the KITTI object layout and write its index",
        epilog="example:\n  python tools/create_data.py kitti --root data/kitti",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kitti.add_argument("--root", type=Path, required=True, help="folder that holds ImageSets and training")
    kitti.add_argument("--out", type=Path, help="where to write the index (default: ROOT/kecor_index.json, "
                       "the one place from which data sets read it)")  # fmt: skip
    simulated = commands.add_parser(
        "simulated",
        help="simulate a LiDAR data set in the KITTI object layout",
        epilog="example:\n  python tools/create_data.py simulated --out data/simulated --frames 400 --seed 0",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    simulated.add_argument("--out", type=Path, required=True, help="folder to write")
    simulated.add_argument("--frames", type=int, required=True, help="number of frames; a quarter is for val")
    simulated.add_argument("--seed", type=int, default=0)
    simulated.add_argument("--layouts", type=Path, metavar="LABEL_DIR", help="KITTI label files to take the scenes of")
    simulated.add_argument(
        "--full-sweep", action="store_true", help="keep all 360 degrees, not the camera's view alone"
    )
    waymo.add_arguments(
        commands.add_parser(
            "waymo",
            help=waymo.HELP,
            epilog=f"example:\n  {waymo.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    return parser.parse_args()


def check_kitti(root: Path, out: Path | None) -> int:
    """Check a set, print what is wrong with it and write its index; 1 when no frame can be used."""
    from kecor.datasets.kitti_check import check_dataset, summary, usable
    from kecor.datasets.kitti_index import INDEX_NAME
    from kecor.files import write_json

    index = check_dataset(root)
    for problem in index["problems"]:
        print(f"warning: {problem['problem']}; {problem['action']}")
    print(summary(index))
    actions = Counter(problem["action"] for problem in index["problems"])
    counts = ", ".join(f"{action} {n}x" for action, n in actions.items()) or "no fault found"
    print(f"{len(usable(index))} of {len(index['frames'])} frames can be used; {counts}")
    out = out or root / INDEX_NAME
    try:
        write_json(out, index)
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror or error}; name another file with --out") from error
    print(f"index: {out}")
    return 0 if usable(index) else 1


def simulate(out: Path, frames: int, seed: int, layouts: Path | None, full_sweep: bool) -> int:
    """Write a simulated set and say what is in it."""
    from kecor.datasets.kitti_check import check_dataset, summary
    from kecor.simulation import write_dataset

    write_dataset(out, frames, seed, layouts=layouts, full_sweep=full_sweep)
    print(summary(check_dataset(out)))
    print(f"data set: {out}")
    return 0


@main_guard
def main() -> int:
    args = parse_args()
    if args.command == "kitti":
        return check_kitti(args.root, args.out)
    if args.command == "waymo":
        return waymo.run(args)
    return simulate(args.out, args.frames, args.seed, args.layouts, args.full_sweep)


if __name__ == "__main__":
    raise SystemExit(main())
