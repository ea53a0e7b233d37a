"""Export frames to annotation tools, check deliveries and import labels: docs/labelling_formats.md."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kecor.cli.guard import command_parser, main_guard, output_file, output_folder
from kecor.errors import ConfigError, DataError
from kecor.structures import Frame

if TYPE_CHECKING:
    from kecor.labelling.delivery import Delivery

EXAMPLE = """examples:
  python tools/label.py export labelcloud --data data/mine --split unlabelled --ids picked.txt \\
      --prelabels boxes.json --classes Car Pedestrian --out to_label
  python tools/label.py check labelcloud to_label --classes Car Pedestrian --out boxes.json
  python tools/label.py import labelcloud to_label --against boxes.json --classes Car Pedestrian --out data/mine/labels
"""


def parse_args() -> argparse.Namespace:
    parser = command_parser(__doc__, EXAMPLE)
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write clouds, pre-labels and class list for annotators")
    check = commands.add_parser("check", help="read a delivery, say what is in it, and write its boxes as JSON")
    bring = commands.add_parser("import", help="read a delivery and store its labels as ID.txt")
    for command in (export, check, bring):
        command.add_argument("format", help="such as labelcloud, datumaro or sly_pointcloud; a wrong name lists all")
    _export_arguments(export)
    for command in (check, bring):
        _reading_arguments(command)
    check.add_argument("--out", type=output_file, required=True, help="JSON file to write")
    bring.add_argument("--out", type=output_folder, required=True, help="folder of label files to write")
    bring.add_argument("--against", type=Path, metavar="FILE", help="JSON file of the pre-labels that were handed out")
    bring.add_argument("--accept-missing", action="store_true", help="go on without the frames that are not labelled")
    return parser.parse_args()


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="root of the data set")
    parser.add_argument("--type", default="custom", help="type of the data set (default: custom)")
    parser.add_argument("--split", required=True, help="split that holds the frames")
    parser.add_argument("--ids", type=Path, help="file of the frame ids, most wanted first (default: the split)")
    parser.add_argument("--prelabels", type=Path, help="JSON file of boxes to start from, as `check` writes")
    parser.add_argument("--classes", nargs="+", required=True, help="class names annotators may use")
    parser.add_argument("--variant", help="of labelcloud: centroid_rel (default) or kitti_untransformed")
    parser.add_argument("--no-intensity", action="store_true", help="clouds of x, y, z alone, for CVAT")
    parser.add_argument("--out", type=Path, required=True, help="new folder to write")


def _reading_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="what the tool exported, unpacked")
    parser.add_argument("--ids", type=Path, help="file of the ids asked for (default: ids.txt of the folder, or any)")
    parser.add_argument(
        "--classes", nargs="+", help="class names that are allowed (default: classes.txt of the folder, or any)"
    )
    parser.add_argument("--rename", nargs="+", default=[], metavar="OLD=NEW", help="class names to replace")
    parser.add_argument(
        "--variant", help="labelcloud: centroid_rel, centroid_abs, vertices, kitti, kitti_untransformed"
    )
    parser.add_argument("--sizes", help="kitti_raw: what h, w and l mean: zyx, yxz, xyz or kitti")
    parser.add_argument("--source", help="xtreme1: the source to read, where several hold boxes")
    parser.add_argument("--poses", help="segments_ai: JSON file of the ego poses the samples were uploaded with")


def options(args: argparse.Namespace) -> dict[str, str]:
    """The options of the format that were given."""
    given = {name: getattr(args, name, None) for name in ("variant", "sizes", "source", "poses")}
    return {name: value for name, value in given.items() if value is not None}


def frames(args: argparse.Namespace) -> tuple[int, Iterator[Frame]]:
    """The frames to hand out, without their labels."""
    from kecor.labelling.frame_ids import read_ids
    from kecor.registry import DATASETS

    if DATASETS.get(args.type) is None:
        raise ConfigError(f"--type {args.type}: is no data set; use one of {', '.join(DATASETS.module_dict)}")
    dataset = DATASETS.build({"type": args.type, "root": args.data, "split": args.split, "classes": args.classes})
    ids = read_ids(args.ids) if args.ids else dataset.ids
    strays = sorted(set(ids) - set(dataset.ids))
    if strays:
        raise DataError(f"{args.ids}: frame {strays[0]} is not in split {args.split} of {args.data}")
    return len(ids), (dataset.read(frame_id, labels=False) for frame_id in ids)


def export(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from kecor.labelling.export import export_frames
    from kecor.labelling.prelabels import read_boxes
    from kecor.tables import format_table

    prelabels = read_boxes(args.prelabels) if args.prelabels else {}
    count, stream = frames(args)
    shown = tqdm(stream, total=count, unit="frame", disable=None)
    done = export_frames(args.out, args.format, shown, prelabels, args.classes, options(args), not args.no_intensity)
    rows = [["frames", done.frames], ["boxes drawn beforehand", done.boxes]]
    rows += [["points left out (not finite)", done.dropped_points], ["written to", str(args.out)]]
    print(format_table(["export", ""], rows))


def read(args: argparse.Namespace) -> Delivery:
    """The delivery, its tables printed."""
    from kecor.labelling.delivery import read_delivery
    from kecor.labelling.frame_ids import read_ids
    from kecor.labelling.report import delivery_text

    ids = read_ids(args.ids) if args.ids else None
    delivery = read_delivery(args.folder, args.format, ids, args.classes, options(args), renames(args.rename))
    print(delivery_text(delivery), flush=True)
    return delivery


def renames(pairs: Sequence[str]) -> dict[str, str]:
    """``OLD=NEW`` as a table."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise ConfigError(f"--rename {pair}: write OLD=NEW")
    return {old: new for old, _, new in (pair.partition("=") for pair in pairs)}


def check(args: argparse.Namespace) -> None:
    from kecor.files import write_json
    from kecor.labelling.prelabels import as_json

    delivery = read(args)
    write_json(args.out, as_json(delivery.labels))
    if delivery.problems:
        raise DataError(f"{args.folder}: {len(delivery.problems)} frames cannot be used; {args.out} is without them")


def bring(args: argparse.Namespace) -> None:
    from kecor.labelling.changes import compare_with_prelabels
    from kecor.labelling.delivery import find_format
    from kecor.labelling.prelabels import read_boxes
    from kecor.labelling.report import changes_text
    from kecor.labelling.store import store_labels

    if args.out.resolve().is_relative_to(args.folder.resolve()):
        raise DataError(f"--out {args.out}: lies in the delivery, which stays as it is; name another folder")
    before = read_boxes(args.against) if args.against else None
    delivery = read(args)
    if delivery.problems:
        raise DataError(f"{args.folder}: {len(delivery.problems)} frames cannot be used; nothing was stored")
    if delivery.missing and not args.accept_missing:
        advice = "pass --accept-missing to store the others; nothing was stored"
        raise DataError(f"{args.folder}: {len(delivery.missing)} frames are not labelled; {advice}")
    if before is not None:
        changes = compare_with_prelabels(before, delivery.labels, find_format(args.format).precision)
        print("\n" + changes_text(changes))
    stored = store_labels(args.out, delivery.labels)
    print(f"\n{args.out}: {stored['new']} label files new, {stored['replaced']} replaced, {stored['same']} the same")


@main_guard
def main() -> None:
    args = parse_args()
    try:
        {"export": export, "check": check, "import": bring}[args.command](args)
    except OSError as error:
        raise DataError(f"{error.filename or args.out}: {error.strerror or error}") from error
