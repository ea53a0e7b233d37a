import numpy as np
import pytest

from kecor.active.oracle import SimulatedOracle
from kecor.errors import DataError
from kecor.structures import Frame


class Labels:
    """Frame "n" has n boxes; remembers whose labels were read; frame "bad" has a label file that is none."""

    def __init__(self):
        self.read_labels = []

    def read(self, frame_id, labels=True):
        if not labels:
            return Frame(frame_id, np.zeros((1, 4), np.float32))
        self.read_labels.append(frame_id)
        if frame_id == "bad":
            raise DataError("bad.txt")
        boxes = np.ones((int(frame_id), 7), np.float32)
        return Frame(frame_id, np.zeros((1, 4), np.float32), boxes, np.full(len(boxes), "Car"))


def test_labels_are_shown_only_once_they_are_bought():
    data = Labels()
    oracle = SimulatedOracle(data, bought=["5"])
    assert len(oracle.read("5").boxes) == 5
    with pytest.raises(LookupError, match="frame 3"):
        oracle.read("3")
    assert len(oracle.read_unlabelled("3").boxes) == 0
    assert data.read_labels == ["5"]
    assert list(oracle.label(["3", "0", "2"]).items()) == [("3", 3), ("0", 0), ("2", 2)]
    assert len(oracle.read("3").boxes) == 3


def test_a_purchase_with_an_unreadable_label_buys_nothing():
    oracle = SimulatedOracle(Labels())
    with pytest.raises(DataError):
        oracle.label(["3", "bad"])
    with pytest.raises(LookupError):
        oracle.read("3")
