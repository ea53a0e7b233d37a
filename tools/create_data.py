"""Prepare a data set: check real files, measure own sweeps, or simulate a set."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from kecor.cli import main_guard
from kecor.errors import DataError

EXAMPLES = """examples:
  python tools/create_data.py kitti --root data/kitti
  python tools/create_data.py custom --root data/my_sweeps
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
    custom = commands.add_parser(
        "custom",
        help="check own sweeps, measure them and write a part of a config",
        epilog="example:\n  python tools/create_data.py custom --root data/my_sweeps",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_custom_arguments(custom)
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


def add_custom_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command ``custom``."""
    parser.add_argument("--root", type=Path, required=True, help="folder that holds points and labels")
    parser.add_argument("--out", type=Path, help="YAML file to write (default: ROOT/kecor_custom.yaml)")
    parser.add_argument("--columns", nargs="+", metavar="NAME", help="what a point of a .bin or .npy file holds, such "
                        "as x y z intensity ring; _ for what is not used (default: found out)")  # fmt: skip
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="classes to train (default: all labelled ones)")
    parser.add_argument("--label-reading", nargs="+", metavar="NAME", default=[],
                        help="how labels differ from the convention, such as degrees bottom")  # fmt: skip
    parser.add_argument("--voxel-size", type=float, metavar="METRES", help="along x and y (default: by the volume)")


def check_custom(args: argparse.Namespace) -> int:
    """Check and measure own sweeps, and draw three of them."""
    from kecor.datasets.custom.create import create
    from kecor.visualization.bird_eye import draw_picks

    outcome, out = create(args.root, args.out, args.columns, args.classes, args.label_reading, args.voxel_size)
    shown = outcome.sweeps[:: max(1, len(outcome.sweeps) // 3)][:3]
    picture = out.with_suffix(".png")
    draw_picks([(frame, None, frame.frame_id) for frame in shown], picture, outcome.classes)
    print(f"picture: {picture}; look whether the boxes lie on their objects")
    return 0


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
    if args.command == "custom":
        return check_custom(args)
    return simulate(args.out, args.frames, args.seed, args.layouts, args.full_sweep)


if __name__ == "__main__":
    raise SystemExit(main())
