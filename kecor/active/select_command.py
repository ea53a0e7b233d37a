"""Choose which frames to label next, from the outputs of any detector: docs/bring_your_own_detector.md shows how."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kecor.active.choose import build_budget, build_method, checked_needs, choose
from kecor.active.frame_pairs import read_pair
from kecor.cli import main_guard
from kecor.config import import_modules, parse_options
from kecor.engine.malloc import tune_malloc
from kecor.errors import ConfigError, DataError
from kecor.files import write_json
from kecor.tables import format_table
from kecor.visualization.wording import info_rows

EXAMPLE = """example:
  python tools/select.py --pool pool.npz --labelled labelled.npz --method kecor --budget 100 \\
      --set sigma=0.1 learning_rate=1e-3 --out selection.json
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    frames = "an .npz file, or a folder of .npy files"
    parser.add_argument("--pool", type=Path, required=True, help=f"frames to choose from: {frames}")
    parser.add_argument("--labelled", type=Path, required=True, help=f"frames that are labelled: {frames}")
    parser.add_argument("--method", required=True, help="random, entropy, kecor or one that --import brings")
    parser.add_argument("--budget", type=float, required=True, help="what may be spent")
    parser.add_argument("--cost-frame", type=float, default=1.0, help="price of a frame (default: 1)")
    parser.add_argument("--cost-box", type=float, default=0.0, help="price of a predicted box (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    settings = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument("--set", **settings, metavar="KEY=VALUE", help="arguments of the method")
    parser.add_argument("--import", **settings, dest="modules", metavar="MODULE", help="modules with your own methods")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    return parser.parse_args()


@contextlib.contextmanager
def writing(out: Path) -> Iterator[None]:
    """Make an error of the operating system one that names ``out``."""
    try:
        yield
    except OSError as error:
        raise DataError(f"--out {out}: cannot be written: {error.strerror or error}") from error


def report(record: dict[str, Any], n_frames: int, out: Path) -> str:
    """What was chosen, for the screen."""
    numbers = {key: value for key, value in record["info"].items() if isinstance(value, (int, float))}
    boxes = record["predicted_boxes"]
    rows = [
        ["Method", record["method"]],
        ["Frames picked", f"{len(record['ids'])} of {n_frames}"],
        ["Predicted boxes in them", None if boxes is None else f"{sum(boxes)}"],
        ["Predicted cost", f"{record['predicted_cost']:g}"],
        *[row[:2] for row in info_rows(numbers)],
        ["Written to", str(out)],
    ]
    return format_table(["selection", ""], rows)


@main_guard
def main() -> None:
    args = parse_args()
    tune_malloc()
    if args.seed < 0:
        raise ConfigError(f"--seed: {args.seed} is below 0")
    if args.out.is_dir() or args.out.resolve() in (args.pool.resolve(), args.labelled.resolve()):
        raise DataError(f"--out {args.out}: is a folder or an input; name a file to write")
    with writing(args.out):
        args.out.parent.mkdir(parents=True, exist_ok=True)  # now, not after the work
    import_modules(args.modules, "--import")
    method = build_method(args.method, parse_options(args.set, "--set"), "--set")
    budget = build_budget(args.budget, args.cost_frame, args.cost_box)
    needs = checked_needs(method, budget, args.method)
    reader = f"method {args.method!r}" if needs == method.needs else f"method {args.method!r} with --cost-box above 0"
    pool, labelled = read_pair(args.pool, args.labelled, needs, reader)
    record = choose(args.method, method, pool, labelled, budget, np.random.default_rng(args.seed))
    with writing(args.out):
        write_json(args.out, record)
    print(report(record, len(pool), args.out))
