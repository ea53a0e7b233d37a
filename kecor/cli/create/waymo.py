"""The command ``create_data.py waymo``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kecor.lock import locked

HELP = "convert the Waymo Open Dataset, v1 (TFRecord) or v2 (Parquet)"
EXAMPLE = "python tools/create_data.py waymo --raw data/waymo_raw --out data/waymo --interval 10"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--raw", type=Path, required=True, help="folder with training, validation, testing, as downloaded"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write; an interrupted conversion continues")
    parser.add_argument(
        "--layout", choices=("kecor", "openpcdet"), default="kecor", help="what to write (default: ours)"
    )
    parser.add_argument("--workers", type=int, help="processes (default: one for each core)")
    parser.add_argument("--interval", type=int, default=1, help="keep every so many frames of a segment (default: all)")
    parser.add_argument(
        "--lists", type=Path, help="folder with train.txt, val.txt, test.txt that name the segments of each split"
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and say what was found."""
    from kecor.cli.create.accounts import print_account
    from kecor.datasets.waymo.convert import convert

    with locked(args.out):
        done = convert(args.raw, args.out, args.layout, args.workers, args.interval, args.lists)
    for name, segment in done.items():
        if segment.empty:
            shown = ", ".join(map(str, segment.empty[:5])) + (", ..." if len(segment.empty) > 5 else "")
            print(
                f"warning: {name}: {len(segment.empty)} of {segment.frames} frames have no range images and so "
                f"no points (frame {shown}); name the other frames in ImageSets to leave them out"
            )
    frames, objects = sum(s.frames for s in done.values()), sum(s.objects for s in done.values())
    points = sum(s.points for s in done.values()) / max(frames, 1)
    unlabelled = [name for name, segment in done.items() if not segment.labelled]
    print(f"{len(done)} segments converted: {frames} frames, {points:,.0f} points a frame, {objects} labels")
    if unlabelled:
        print(
            f"{len(unlabelled)} of them have no label in any frame and count as not labelled, such as {unlabelled[0]}"
        )
    print(f"data set: {args.out}")
    lists = sorted(path.stem for path in (args.out / "ImageSets").glob("*.txt"))
    print_account("waymo/second.yaml", args.out, [split for split in lists if split != "test"])
    return 0
