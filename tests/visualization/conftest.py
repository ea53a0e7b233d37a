import json

import pytest

from kecor.visualization.report import update_report
from tests.visualization.fake_run import FakeFrames, write_run


@pytest.fixture(scope="session")
def drawn_run(tmp_path_factory):
    """A run whose 20 picks were labelled by annotators, with its report; copy it to change it."""
    folder = write_run(tmp_path_factory.mktemp("drawn"), n_rounds=2, note="x" * 500, pool=True)
    counts = {"kept": 2, "moved": 1, "renamed": 0, "added": 3, "deleted": 4}
    record = {"frames": {"000001": counts}, "total": counts, "postponed": ["000077"]}
    (folder / "round_00/annotators.json").write_text(json.dumps(record))
    box = {"name": "Car", "box": [10, 1, -1, 4, 2, 1.5, 0.5]}
    handed_out = {"ids": ["000001"], "files": {}, "prelabels": {"000001": [box], "000003": []}}
    (folder / "round_00/handed_out.json").write_text(json.dumps(handed_out))
    update_report(folder, FakeFrames())
    return folder
