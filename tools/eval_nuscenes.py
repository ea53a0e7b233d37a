"""``python tools/eval_nuscenes.py --help``; the same as ``kecor eval-nuscenes``."""

from kecor.cli.eval_nuscenes import main

if __name__ == "__main__":
    raise SystemExit(main())
