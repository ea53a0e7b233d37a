"""``python -m tests.fuzz --cases 2500 --seed 0``: wrong configs and mutated files end in success or a KecorError."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.fuzz.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2500, help="number of cases (default 2500)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all choices (default 0)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz_") as folder:
        tally = run(options.cases, options.seed, Path(folder))
    print("\n".join(tally.failures))
    print(tally.table())
    return 1 if tally.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
