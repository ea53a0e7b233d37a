"""``python tools/label.py --help``; the same as ``kecor label``."""

from kecor.cli.label import main

if __name__ == "__main__":
    raise SystemExit(main())
