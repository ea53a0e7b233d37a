"""Damaged data sets: the message names the table or file, and the sample."""

import json
import shutil
import sys

import pytest

from kecor.datasets.nuscenes import NuscenesDataset, devkit
from kecor.datasets.nuscenes.categories import CLASSES
from kecor.errors import ConfigError, DataError, KecorError
from tests.datasets.nuscenes.world import VERSION, need_devkit, write_world

need_devkit()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def root(world, tmp_path):
    return shutil.copytree(world, tmp_path / "set")


def open_set(root, split="mini_val", **options):
    return NuscenesDataset(root, split, options.pop("classes", CLASSES), options.pop("version", VERSION), **options)


def edit(root, table, change):
    path = root / VERSION / f"{table}.json"
    records = json.loads(path.read_text())
    change(records)
    path.write_text(json.dumps(records))


@pytest.mark.parametrize("table", ["scene", "ego_pose", "sample_annotation"])
def test_missing_and_damaged_tables(root, table):
    path = root / VERSION / f"{table}.json"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(DataError, match=rf"{table}\.json: is no valid JSON"):
        open_set(root)
    path.write_text('{"token": 1}')
    with pytest.raises(DataError, match=rf"{table}\.json: is no list"):
        open_set(root)
    path.unlink()
    with pytest.raises(DataError, match=rf"{table}\.json: no such table; unpack"):
        open_set(root)


def test_missing_fields(root):
    edit(root, "sample_annotation", lambda records: records[3].pop("size"))
    with pytest.raises(DataError, match=r"sample_annotation\.json: record 3 lacks size"):
        open_set(root)


def test_dangling_tokens(root):
    edit(root, "instance", lambda records: records.pop())
    with pytest.raises(DataError, match=r"instance\.json: holds no record"):
        open_set(root)


def test_tokens_that_leave_the_folder(root):
    edit(root, "sample", lambda records: records[0].update(token="../../x"))
    with pytest.raises(DataError, match="record 0"):
        open_set(root)


def test_files_outside_the_data_set(root):
    edit(root, "sample_data", lambda records: [record.update(filename="../secret.bin") for record in records])
    dataset = open_set(root)
    with pytest.raises(DataError, match=r"secret\.bin is no path inside"):
        dataset.read(dataset.ids[0])


def test_missing_and_truncated_sweeps(root):
    dataset = open_set(root)
    path = min((root / "sweeps" / "LIDAR_TOP").glob("scene-0103*"))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=f"sample {dataset.ids[1]}.*{path.name}.*damaged"):
        dataset.read(dataset.ids[1])
    path.unlink()
    with pytest.raises(DataError, match=f"sample {dataset.ids[1]}.*{path.name}.*cannot be read"):
        dataset.read(dataset.ids[1])
    dataset.read(dataset.ids[0])


@pytest.mark.parametrize("fault", [{"rotation": [0, 0, 0, 0]}, {"translation": [0, 0]}])
def test_faulty_poses(root, fault):
    edit(root, "calibrated_sensor", lambda records: records[0].update(fault))
    dataset = open_set(root)
    with pytest.raises(DataError, match="pose of sweep"):
        dataset.read(dataset.ids[0])


@pytest.mark.parametrize("fault", [{"size": [1, -2, 1]}, {"rotation": [0, 0, 0, 0]}, {"num_lidar_pts": "many"}])
def test_faulty_annotations(root, fault):
    edit(root, "sample_annotation", lambda records: [record.update(fault) for record in records])
    dataset = open_set(root)
    with pytest.raises(DataError, match=f"sample_annotation.json: sample {dataset.ids[0]}"):
        dataset.read_labels(dataset.ids[0])


def test_wrong_arguments(root, tmp_path):
    with pytest.raises(DataError, match=r"v1\.0-trainval: no such folder of tables; versions there: v1\.0-mini"):
        open_set(root, version="v1.0-trainval")
    with pytest.raises(DataError, match=r"'val' belongs to version v1\.0-trainval"):
        open_set(root, split="val")
    with pytest.raises(DataError, match=r"unknown split 'mine'; expected one of: train,.*splits\.json can define it"):
        open_set(root, split="mine")
    with pytest.raises(ConfigError, match="'Car' is none of"):
        open_set(root, classes=["Car"])
    with pytest.raises(ConfigError, match="sweeps"):
        open_set(root, sweeps=0)
    with pytest.raises(DataError, match="holds no record with the token 'nobody'"):
        open_set(root).read("nobody")


def test_own_splits(root):
    path = root / VERSION / "splits.json"
    path.write_text('{"mine": ["scene-0061", "scene-0103"], "train": ["scene-0103"], "mini_val": ["scene-0061"]}')
    assert len(open_set(root, split="mine")) == 8
    train, val = open_set(root, split="train"), open_set(root, split="mini_val")
    assert {train.sequence(frame_id) for frame_id in train.ids} == {"scene-0103"}
    assert {val.sequence(frame_id) for frame_id in val.ids} == {"scene-0061"}
    assert len(open_set(root, split="mini_train")) == 4  # not in the file: the official one
    path.write_text('{"train": ["scene-9999"]}')
    with pytest.raises(DataError, match=r"splits\.json: split 'train': the tables hold no scene 'scene-9999'"):
        open_set(root, split="train")
    path.write_text('{"train": "scene-0103"}')
    with pytest.raises(DataError, match=r"splits\.json: expected lists of scene names"):
        open_set(root, split="train")


def test_without_the_devkit(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "nuscenes.eval.detection.evaluate", None)
    with pytest.raises(KecorError, match=r"pip install --no-deps -r requirements/nuscenes\.txt"):
        devkit.load_tables(root, VERSION)
