import importlib
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def benchmarks(monkeypatch):
    """Import a module of tools/benchmarks as the tool does."""
    monkeypatch.syspath_prepend(str(TOOLS))
    yield lambda name: importlib.import_module(f"benchmarks.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        del sys.modules[name]
