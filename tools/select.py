#!/usr/bin/env python3
"""Choose which frames to label next, from the outputs of any detector: docs/bring_your_own_detector.md shows how.

Python puts the folder of a tool first among the places it imports from. ``import select``, which the standard library
itself does in every tool here, then finds this file; it hands over to the module that was meant.
"""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder


def hand_over() -> None:
    """Put the standard library's ``select`` in the place of this module."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (pathlib may be half imported by now)
    spec = PathFinder.find_spec("select", [path for path in sys.path if os.path.abspath(path) != here])  # noqa: PTH100
    sys.modules["select"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["select"])


if __name__ == "select" and sys.modules["select"].__dict__ is globals():
    hand_over()
else:
    from kecor.cli.select import main

if __name__ == "__main__":
    raise SystemExit(main())
