"""``python tools/train.py --help``; the same as ``kecor train``."""

from kecor.cli.train import main

if __name__ == "__main__":
    raise SystemExit(main())
