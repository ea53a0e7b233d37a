"""``python tools/benchmark.py --help``; the same as ``kecor benchmark``."""

from kecor.cli.benchmark import main

if __name__ == "__main__":
    raise SystemExit(main())
