"""``python tools/create_data.py --help``; the same as ``kecor create-data``."""

from kecor.cli.create_data import main

if __name__ == "__main__":
    raise SystemExit(main())
