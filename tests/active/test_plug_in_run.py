"""A run whose acquisition function fails is continued after the function is corrected, with the same result."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kecor.active.loop import run
from kecor.errors import SelectionError
from kecor.registry import ACQUISITIONS
from tests.active.tiny import tiny_config, write_tiny_set

NAME = "plug_in_of_a_user"
SOURCE = """import sys
import numpy as np
from kecor.acquisition import take_within_budget
from kecor.registry import ACQUISITIONS
from kecor.structures import Selection


@ACQUISITIONS.register_module("{name}")
class Mine:
    needs = frozenset({{"detections"}})

    def select(self, pool, labelled, budget, rng):
        {line}
        taken = take_within_budget(rng.permutation(len(pool)), budget.costs(pool.n_boxes()), budget)
        return Selection(taken, np.ones(len(taken)))
"""
LINE = SOURCE[: SOURCE.index("{line}")].count("\n") + 1
FAULTS = {
    "sys.exit(0)": "SystemExit: 0",
    "rng.shuffle(pool.ids)": r"ValueError: .*read-?only.*",
    "pool.ids[:] = 'x'": r"ValueError: .*read-?only.*",
    "pool.detections[0].boxes += 1": r"ValueError: .*read-?only.*",
    "import no_such_package": "ModuleNotFoundError: No module named 'no_such_package'",
    "pool.feats['embedding']": "KeyError: 'embedding'",
}


def make_run(folder: Path, data: Path, line: str, plug_ins: Path) -> list:
    """The run with a plug-in that has ``line`` in it, imported as in a new process."""
    (plug_ins / f"{NAME}.py").write_text(SOURCE.format(name=NAME, line=line))
    for module in [name for name in sys.modules if name == NAME]:
        del sys.modules[module]
    ACQUISITIONS.module_dict.pop(NAME, None)
    sections = {"schedule": {"epochs": 1, "batch_size": 4}, "active": {"rounds": 1, "amount": 2.0}}
    config = tiny_config(data, acquisition={"type": NAME}, custom_imports=[NAME], **sections)
    return run(config, folder, resume=True, progress=False, log=lambda message: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp("data") / "set", n_train=8, n_val=2)


@pytest.fixture
def plug_ins(tmp_path, monkeypatch):
    """A folder on the search path whose modules are compiled anew each time."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    ACQUISITIONS.module_dict.pop(NAME, None)


@pytest.mark.usefixtures("one_thread")
def test_each_fault_is_one_line_and_the_corrected_method_continues(data, plug_ins, tmp_path):
    for line, fault in FAULTS.items():
        place = rf"\({plug_ins / NAME}\.py:{LINE}\)"
        with pytest.raises(SelectionError, match=rf"^{NAME}: {fault} {place}; correct the method .*--resume"):
            make_run(tmp_path / "mended", data, line, plug_ins)
        assert not (tmp_path / "mended" / "round_00" / "selection.json").exists()
    make_run(tmp_path / "mended", data, "pass", plug_ins)
    make_run(tmp_path / "whole", data, "pass", plug_ins)
    for name in ("round_00/selection.json", "round_00/metrics.json", "round_01/metrics.json"):
        assert (tmp_path / "mended" / name).read_text() == (tmp_path / "whole" / name).read_text()
