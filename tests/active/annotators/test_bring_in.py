"""Reading a delivery again and again: what counts as new, and what is still as it was handed out."""

import json

import numpy as np
import pytest

from kecor.active.annotators.bring_in import bring_in, delivery_folder
from kecor.active.annotators.hand_out import hand_out, read_handed_out
from kecor.active.annotators.stored_labels import StoredLabels
from kecor.errors import StateError
from kecor.structures import Frame
from tests.active.annotators.people import WRITE
from tests.labelling.cases import labelled

BOX = [5.0, 1.0, -1.0, 4.0, 1.8, 1.5, 0.5]
OTHER = [9.0, 1.0, -1.0, 4.0, 1.8, 1.5, 0.5]
IDS = ["s/1", "s/2"]


class Sweeps:
    """Two frames without labels."""

    root, split, ids, classes, n_features, metric = "", "train", IDS, ["Car"], 4, "boxes"

    def read(self, frame_id, labels=True):
        return Frame(frame_id, np.zeros((5, 4), np.float32))

    def is_labelled(self, frame_id):
        return False


@pytest.fixture
def work(tmp_path):
    """Hand out two frames, each with a pre-label; then a function that reads what came back to a folder."""
    store, folder = StoredLabels(Sweeps(), tmp_path / "labels"), tmp_path / "round_00"

    def begin(format_name):
        before = {frame_id: labelled(("Car", *BOX)) for frame_id in IDS}
        hand_out(folder, format_name, IDS, store.read, before, ["Car"])
        record = read_handed_out(folder)
        assert record.ids == IDS

        def read(delivery=folder / "to_label"):
            return bring_in(folder, delivery, format_name, IDS, record, store)

        return read

    return begin, store, folder


@pytest.mark.parametrize("format_name", ["labelcloud", "sly_pointcloud", "datumaro", "openpcdet_custom"])
def test_boxes_that_were_handed_out_are_no_labels(work, format_name):
    begin, store, _ = work
    read = begin(format_name)
    assert read().changed == []
    assert not any(map(store.is_stored, IDS))


def test_in_another_folder_unchanged_boxes_are_labels(work, tmp_path):
    begin, store, folder = work
    read = begin("labelcloud")
    (folder / "to_label" / "labels").rename(tmp_path / "labels_back")
    (tmp_path / "back").mkdir()
    (tmp_path / "labels_back").rename(tmp_path / "back" / "labels")
    assert read(tmp_path / "back").changed == IDS
    assert store.stored("s/1").boxes.tolist() == [BOX]


def test_one_file_of_all_frames_counts_once_it_was_saved(work):
    begin, store, folder = work
    read = begin("datumaro")
    path = folder / "to_label" / "annotations" / "default.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert read().changed == IDS
    assert all(map(store.is_stored, IDS))


def test_an_old_delivery_does_not_undo_labels_imported_since(work, tmp_path):
    begin, store, _ = work
    read, out = begin("labelcloud"), tmp_path / "back"
    for name in ("s__1", "s__2"):
        WRITE["labelcloud"](out, name, [("Car", BOX)])
    assert read(out).changed == IDS
    store.path("s/1").write_text(" ".join(map(str, OTHER)) + " Car\n")
    assert read(out).changed == []
    assert store.stored("s/1").boxes.tolist() == [OTHER]
    WRITE["labelcloud"](out, "s__1", [])
    assert read(out).changed == ["s/1"]
    assert len(store.stored("s/1")) == 0
    store.path("s/2").unlink()
    assert read(out).changed == ["s/2"]


def test_what_was_not_handed_out_is_named(work, tmp_path):
    begin, _, _ = work
    read, out = begin("labelcloud"), tmp_path / "back"
    WRITE["labelcloud"](out, "s__3", [("Car", BOX)])
    returned = read(out)
    assert (returned.changed, returned.unknown) == ([], ["s__3"])


def test_a_damaged_record_says_what_to_do(work):
    begin, _, folder = work
    begin("labelcloud")
    (folder / "handed_out.json").write_text("{}")
    with pytest.raises(StateError, match=r"handed_out.json: has no key 'ids' .* another --work-dir"):
        read_handed_out(folder)


def test_deliveries_come_back_to_the_export_or_to_the_named_folder(tmp_path):
    assert delivery_folder(tmp_path / "round_02", None) == tmp_path / "round_02" / "to_label"
    assert delivery_folder(tmp_path / "round_02", "sent").as_posix() == "sent/round_02"
