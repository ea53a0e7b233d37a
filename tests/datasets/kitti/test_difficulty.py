import numpy as np
import pytest

from kecor.datasets.kitti.difficulty import difficulty
from kecor.datasets.kitti.labels import KittiObjects, read_objects
from tests.shared import shared_data


def one(height=50.0, occluded=0, truncated=0.0, name="Car"):
    return KittiObjects.from_rows([name], np.array([[truncated, occluded, 0, 10, 20, 90, 20 + height, *[1] * 8]]))


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({}, 0),
        ({"height": 40.01}, 0),
        ({"height": 40}, 1),
        ({"height": 25.01}, 1),
        ({"height": 25}, -1),
        ({"occluded": 1}, 1),
        ({"occluded": 2}, 2),
        ({"occluded": 3}, -1),
        ({"truncated": 0.15}, 0),
        ({"truncated": 0.16}, 1),
        ({"truncated": 0.3}, 1),
        ({"truncated": 0.5}, 2),
        ({"truncated": 0.51}, -1),
        ({"truncated": 1}, -1),
        ({"truncated": 2}, -1),
        ({"height": 30, "occluded": 2}, 2),
        ({"truncated": -1, "occluded": -1, "name": "DontCare"}, -1),
    ],
)
def test_level(facts, level):
    assert difficulty(one(**facts)).tolist() == [level]


def test_no_objects():
    assert difficulty(KittiObjects.from_rows([], np.zeros((0, 15)))).shape == (0,)


def test_real_labels_hold_every_level():
    levels = [difficulty(read_objects(p)) for p in sorted(shared_data("kitti_eval", "gt").glob("*.txt"))]
    assert set(np.unique(np.concatenate(levels))) == {-1, 0, 1, 2}
