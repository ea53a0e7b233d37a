import shutil

import numpy as np
import pytest

from kecor.benchmarks import resilience, small_run
from kecor.benchmarks.damage import DAMAGES, targets
from kecor.errors import ConfigError
from tests.active.tiny import write_tiny_set


def test_a_kill_and_two_damages_end_well(tmp_path):
    data = write_tiny_set(tmp_path / "data", n_train=6, n_val=2)
    table = resilience.benchmark_resilience(1, 2, seed=1, folder=tmp_path, data_root=data)
    header, _, *rows = table.splitlines()
    numbers = np.array([[int(cell) for cell in row.split()[-4:]] for row in rows])
    assert header.split()[-1] == "wrong"
    assert numbers[:, 0].sum() == 3
    assert (numbers[:, 0] == numbers[:, 1] + numbers[:, 2]).all()
    assert (numbers[:, 3] == 0).all(), table
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("ending", ["crashed", "hung", "refused", "done"])
def test_what_is_not_like_the_undisturbed_run_counts_as_wrong(tmp_path, monkeypatch, ending):
    endings = iter([small_run.Ending("done"), small_run.Ending(ending, "b.json: broken")])
    monkeypatch.setattr(resilience, "outcome", lambda folder: {"weights": folder.name})
    monkeypatch.setattr(resilience, "start_until", lambda *arguments: next(endings))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.json").write_text("{}")
    campaign = resilience.Campaign(tmp_path, tmp_path, np.random.default_rng(0))
    campaign.damaged_run(tmp_path / "run", tmp_path / "copy")
    (counter,) = campaign.counted.values()
    assert counter == {"wrong": 1}
    assert "a.json of a run stopped in start" in campaign.faults[0]
    assert campaign.judge(small_run.Ending("refused", "a.json: broken"), tmp_path, "x/a.json") == "refused"


@pytest.mark.parametrize("what", DAMAGES)
def test_damages_change_one_file(tmp_path, what):
    (tmp_path / "old").mkdir()
    for name in ("a.json", "b.pth", "train.log", "empty.npy"):
        (tmp_path / "old" / name).write_text("" if name == "empty.npy" else "content")
    assert targets(tmp_path / "old") == ["a.json", "b.pth"]
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    DAMAGES[what](tmp_path / "new" / "a.json", np.random.default_rng(0))
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("old", "new")]
    assert contents[0].pop("a.json") != contents[1].pop("a.json", None)
    assert contents[0] == contents[1]


def test_too_few_kills_are_refused():
    with pytest.raises(ConfigError, match="--kills 0"):
        resilience.benchmark_resilience(0, 1, 0, None, None)
