"""``python tools/train_al.py --help``; the same as ``kecor train-al``."""

from kecor.cli.train_al import main

if __name__ == "__main__":
    raise SystemExit(main())
