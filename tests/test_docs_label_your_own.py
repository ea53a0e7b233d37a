"""The page on labelling one's own sweeps is run as printed; a script labels in place of the reader."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.active.annotators.people import Annotator

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "label_your_own.md").read_text()
WORK = Path("work_dirs/mine")
QUICK = {"epochs: 30": "epochs: 1", "39.68": "20.48"}
"""What is smaller here than on the page, so that a round takes seconds."""


BOXES = [("Car", [8.0, 3.0, -0.9, 4.1, 1.7, 1.6, 0.3]), ("Pedestrian", [6.0, -4.0, -0.85, 0.8, 0.6, 1.7, 0.0])]
"""What the script draws in every sweep."""


@pytest.fixture
def shell(tmp_path, monkeypatch, command):
    """Run a code block of the page in an empty folder: kecor's commands in this process, others in a shell."""
    monkeypatch.chdir(tmp_path)

    def run(block):
        printed = ""
        for line in block.strip().splitlines():
            if tool := re.match(r"python tools/(\w+)\.py (.*)", line):
                code, out, err = command(tool[1], *shlex.split(tool[2]))
                assert code == 0, err
                printed += out
            else:
                subprocess.run(["bash", "-ec", line], check=True)
        return printed

    return run


def state():
    return json.loads((WORK / "al_state.json").read_text())


def label(people, name, skipped=()):
    """Label what waits in a folder of the run, but for some."""
    export = WORK / name / "to_label"
    ids = (export / "ids.txt").read_text().split()
    people.label(export, "labelcloud", [i for i in ids if i not in skipped], export)
    return ids


def test_the_page_leads_from_sweeps_without_labels_to_the_second_round(shell, tmp_path):
    simulate, first, check, second, third, fourth, copy = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    (config,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for text, smaller in QUICK.items():
        assert text in config
        config = config.replace(text, smaller)
    (tmp_path / "mine.yaml").write_text(config)
    shell(simulate)
    ids = [path.parent.name + "/" + path.stem for path in Path("data/mine/points").glob("*/*.pcd")]
    people = Annotator(dict.fromkeys(ids, BOXES))

    assert f"{WORK}/initial/to_label: waits for annotators" in shell(first)
    initial = label(people, "initial")
    assert len(initial) == 4
    shell(check)
    assert json.loads(Path("labelled.json").read_text()).keys() == set(initial)
    assert f"{WORK}/round_00/to_label: waits" in shell(second)
    picks = label(people, "round_00")
    assert f"{WORK}/round_01/to_label: waits" in shell(third)
    assert (WORK / "round_01" / "checkpoint.pth").is_file()
    assert json.loads((WORK / "round_00" / "annotators.json").read_text())["frames"].keys() == set(picks)

    (skipped, kept) = (WORK / "round_01" / "to_label" / "ids.txt").read_text().split()
    label(people, "round_01", [skipped])
    assert skipped in shell(fourth)
    assert (state()["stage"], state()["frames"]) == ("done", [initial, picks, [kept]])
    assert state()["boxes"] == [sum(len(people.written[i]) for i in ids) for ids in state()["frames"]]

    assert "Car" in shell(copy)
    assert Path("data/mine/kecor_custom.yaml").is_file()
    assert {str(p.with_suffix("").relative_to("data/mine/labels")) for p in Path("data/mine/labels").glob("*/*")} >= {
        *initial, *picks, kept
    }  # fmt: skip
