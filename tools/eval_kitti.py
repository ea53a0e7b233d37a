"""``python tools/eval_kitti.py --help``; the same as ``kecor eval-kitti``."""

from kecor.cli.eval_kitti import main

if __name__ == "__main__":
    raise SystemExit(main())
