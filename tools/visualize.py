"""``python tools/visualize.py --help``; the same as ``kecor visualize``."""

from kecor.cli.visualize import main

if __name__ == "__main__":
    raise SystemExit(main())
