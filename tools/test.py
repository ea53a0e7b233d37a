"""``python tools/test.py --help``; the same as ``kecor test``."""

from kecor.cli.test import main

if __name__ == "__main__":
    raise SystemExit(main())
