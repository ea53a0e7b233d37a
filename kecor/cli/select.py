"""Choose frames to label next from the outputs of any detector; see docs/bring_your_own_detector.md."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kecor.cli.guard import command_parser, main_guard, output_file, writing
from kecor.errors import ConfigError, DataError

EXAMPLE = """example:
  python tools/select.py --pool pool.npz --labelled labelled.npz --method kecor --budget 100 \\
      --set sigma=0.1 --out selection.json
"""


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__, EXAMPLE)
    frames = "an .npz file, or a folder of .npy files"
    parser.add_argument("--pool", type=Path, required=True, help=f"frames to choose from: {frames}")
    parser.add_argument("--labelled", type=Path, required=True, help=f"labelled frames: {frames}")
    parser.add_argument(
        "--method", required=True, help="random, entropy, kecor, ..., one that --import registers, or a YAML file"
    )
    parser.add_argument("--budget", type=float, required=True, help="maximum cost of the selection")
    parser.add_argument("--cost-frame", type=float, default=1.0, help="cost of a frame (default: 1)")
    parser.add_argument("--cost-box", type=float, default=0.0, help="cost of a predicted box (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    settings: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument("--set", **settings, metavar="KEY=VALUE", help="arguments of the method, as in --set sigma=0.1")
    parser.add_argument("--import", **settings, dest="modules", metavar="MODULE", help="modules with your own methods")
    parser.add_argument("--out", type=output_file, required=True, help="JSON file to write")
    return parser


def check_arguments(arguments: argparse.Namespace) -> None:
    """Check the arguments, and that the output can be written, before the work starts.

    Raises:
        ConfigError: the seed is negative.
        DataError: the output is an input or cannot be written.
    """
    out = arguments.out
    if arguments.seed < 0:
        raise ConfigError(f"--seed: got {arguments.seed}; expected 0 or more")
    if out.resolve() in (arguments.pool.resolve(), arguments.labelled.resolve()):
        raise DataError(f"--out {out}: is an input; name another file")
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)


def summary(record: dict[str, Any], info: list[list[str | None]], n_frames: int, out: Path) -> str:
    """The selection as a text table; ``info`` holds rows added by the method."""
    from kecor.tables import format_table

    boxes = record["predicted_boxes"]
    rows: list[list[str | None]] = [
        ["Method", record["method"]],
        ["Frames picked", f"{len(record['ids'])} of {n_frames}"],
        ["Predicted boxes in them", None if boxes is None else f"{sum(boxes):g}"],
        ["Predicted cost", f"{record['predicted_cost']:g}"],
        *info,
        ["Written to", str(out)],
    ]
    return format_table(["selection", ""], rows)


@main_guard
def main() -> None:
    arguments = build_parser().parse_args()

    import numpy as np

    from kecor.active.selection.purchase import build_budget, build_method, checked_needs, choose
    from kecor.config import apply_options, method_sections
    from kecor.engine.malloc import tune_malloc
    from kecor.files import write_json
    from kecor.frame_sets.pairs import read_pair
    from kecor.visualization.wording import info_rows

    tune_malloc()
    check_arguments(arguments)
    name = arguments.method
    section = method_sections(name, arguments.modules)["acquisition"]
    method = build_method(apply_options(section, [o.removeprefix("acquisition.") for o in arguments.set]), "--set")
    budget = build_budget(arguments.budget, arguments.cost_frame, arguments.cost_box)
    needs = checked_needs(method, budget, name)
    reader = f"method {name!r}" if needs == method.needs else f"method {name!r} with --cost-box above 0"
    pool, labelled = read_pair(arguments.pool, arguments.labelled, needs, reader)
    record = choose(name, method, pool, labelled, budget, np.random.default_rng(arguments.seed))
    with writing(arguments.out):
        write_json(arguments.out, record)
    numbers = {key: value for key, value in record["info"].items() if isinstance(value, (int, float))}
    print(summary(record, [row[:2] for row in info_rows(numbers, record["terms"])], len(pool), arguments.out))
