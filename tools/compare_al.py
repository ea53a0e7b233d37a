"""``python tools/compare_al.py --help``; the same as ``kecor compare-al``."""

from kecor.cli.compare_al import main

if __name__ == "__main__":
    raise SystemExit(main())
