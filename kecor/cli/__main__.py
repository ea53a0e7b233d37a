"""The installed command ``kecor NAME [ARGUMENTS]``."""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = {
    "create-data": "check a data set, or simulate one",
    "train-al": "active learning in rounds",
    "train": "train a detector on all labelled frames",
    "test": "evaluate a checkpoint",
    "select": "choose frames from the outputs of any detector",
    "label": "export frames to annotation tools, import labels",
    "compare-al": "compare acquisition methods over seeds",
    "eval-kitti": "evaluate KITTI result files",
    "eval-nuscenes": "evaluate a nuScenes result file",
    "eval-waymo": "evaluate Waymo detections",
    "visualize": "draw a frame, or write the report of a run again",
    "benchmark": "measure parts of kecor beside plain references",
}


def main() -> int:
    """Run the command that the first argument names; its own arguments follow."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name not in COMMANDS:
        known = "\n".join(f"  {command:<14}{text}" for command, text in COMMANDS.items())
        print(f"usage: kecor COMMAND [ARGUMENTS]\n\ncommands:\n{known}\n\nkecor COMMAND --help says more")
        return 0 if name in ("-h", "--help") else 2
    sys.argv = [f"kecor {name}", *arguments]
    return import_module(f"kecor.cli.{name.replace('-', '_')}").main()


if __name__ == "__main__":
    sys.exit(main())
