"""Prepare a data set: check or convert real files, or simulate sweeps."""

from __future__ import annotations

import argparse

from kecor.cli.create import custom, kitti, nuscenes, simulated, waymo
from kecor.cli.guard import command_parser, main_guard

PARTS = {"kitti": kitti, "waymo": waymo, "nuscenes": nuscenes, "custom": custom, "simulated": simulated}


def build_parser() -> argparse.ArgumentParser:
    examples = "\n".join(f"  {part.EXAMPLE}" for part in PARTS.values())
    parser = command_parser(__doc__, f"examples:\n{examples}")
    commands = parser.add_subparsers(required=True, metavar="{" + ",".join(PARTS) + "}")
    for name, part in PARTS.items():
        one = commands.add_parser(
            name,
            help=part.HELP,
            description=part.HELP,
            epilog=f"example: {part.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        part.add_arguments(one)
        one.set_defaults(run=part.run)
    return parser


@main_guard
def main() -> int:
    arguments = build_parser().parse_args()
    return arguments.run(arguments)
