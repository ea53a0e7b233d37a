import numpy as np
import pytest

from kecor.active.oracle import SimulatedOracle
from kecor.errors import DataError
from kecor.structures import Frame


class Labels:
    """Frame "n" has n boxes; remembers whose labels and whose clouds were read; frame "bad" has a faulty label file."""

    def __init__(self):
        self.labels, self.clouds = [], []

    def read(self, frame_id, labels=True):
        self.clouds.append(frame_id)
        known = self.read_labels(frame_id) if labels else ()
        return Frame(frame_id, np.zeros((1, 4), np.float32), *known)

    def is_labelled(self, frame_id):
        return frame_id != "9"

    def read_labels(self, frame_id):
        self.labels.append(frame_id)
        if frame_id == "bad":
            raise DataError("bad.txt")
        return np.ones((int(frame_id), 7), np.float32), np.full(int(frame_id), "Car")


def test_labels_are_shown_only_once_they_are_bought():
    data, rounds = Labels(), [["5"]]
    oracle = SimulatedOracle(data, rounds)
    assert len(oracle.read("5").boxes) == len(oracle.read_labels("5")[0]) == 5
    for read in (oracle.read, oracle.read_labels):
        with pytest.raises(LookupError, match="frame 3"):
            read("3")
    assert len(oracle.read_unlabelled("3").boxes) == 0
    assert data.labels == ["5", "5"]
    assert list(oracle.buy(["3", "0", "2"]).items()) == [("3", 3), ("0", 0), ("2", 2)]
    with pytest.raises(LookupError, match="frame 3"):
        oracle.read("3")
    rounds.append(["3", "0", "2"])
    assert len(oracle.read("3").boxes) == 3


def test_buying_reads_no_cloud_and_fails_whole_on_an_unreadable_label():
    data = Labels()
    oracle = SimulatedOracle(data, [])
    oracle.buy(["3", "2"])
    assert data.clouds == []
    with pytest.raises(DataError):
        oracle.buy(["3", "bad"])


def test_frames_without_labels_are_named_with_what_to_do():
    with pytest.raises(DataError, match=r"1 of 2 selected frames have no labels, such as 9; label .*--resume"):
        SimulatedOracle(Labels()).buy(["3", "9"])
