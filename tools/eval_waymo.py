"""``python tools/eval_waymo.py --help``; the same as ``kecor eval-waymo``."""

from kecor.cli.eval_waymo import main

if __name__ == "__main__":
    raise SystemExit(main())
