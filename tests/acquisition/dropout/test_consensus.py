"""Agreement of boxes and classes by hand and by brute force."""

import numpy as np
import pytest

from kecor.acquisition import Consensus
from kecor.acquisition.dropout.boxes import mean_boxes
from kecor.acquisition.dropout.consensus import disagreement
from kecor.structures import Budget, FrameSet
from tests.ops import reference

CAR = np.array([10.0, -3, -1, 4, 2, 1.5, 0.2])


def votes(*classes):
    """(1, P, 3) logits of passes for these classes."""
    return 5 * np.eye(3)[list(classes)][None]


def cars(passes):
    return np.tile(CAR, (1, passes, 1))


def test_agreement_on_class_and_box_is_the_product_of_both():
    assert disagreement(votes(1, 1, 1), cars(3)) == pytest.approx(0, abs=1e-6)
    assert disagreement(votes(1, 1, 0), cars(3)) == pytest.approx(1 / 3, abs=1e-6)
    assert disagreement(votes(0, 1, 2), cars(3)) == pytest.approx(2 / 3, abs=1e-6)
    apart = cars(2)
    apart[0, :, 2] += [-0.25, 0.25]  # each shares 1.25 of 1.75 m of height with their mean
    assert disagreement(votes(0, 0), apart) == pytest.approx(1 - 1.25 / 1.75, abs=1e-6)
    assert disagreement(votes(0, 1), apart) == pytest.approx(1 - 1.25 / 1.75 / 2, abs=1e-6)
    apart[0, :, 2] += [-9, 9]
    assert disagreement(votes(0, 0), apart) == pytest.approx(1)


@pytest.mark.parametrize("heading", [0.0, np.pi / 2, np.pi, -np.pi, -2.0])
def test_a_flip_is_agreement(heading):
    boxes = cars(4)
    boxes[0, :, 6] = heading + np.array([0, np.pi, -np.pi, 2 * np.pi])
    assert disagreement(votes(2, 2, 2, 2), boxes) == pytest.approx(0, abs=1e-6)
    boxes[0, :, 6] += [0.05, -0.05, 0.05, -0.05]
    assert 0.01 < disagreement(votes(2, 2, 2, 2), boxes)[0] < 0.2


def test_brute_force():
    rng = np.random.default_rng(0)
    boxes = np.tile(reference.random_boxes(rng, 8)[:, None], (1, 5, 1)) + rng.normal(0, 0.1, (8, 5, 7))
    logits = rng.normal(size=(8, 5, 3))
    for i, got in enumerate(disagreement(logits, boxes)):
        overlap = reference.iou(boxes[i], mean_boxes(boxes[i : i + 1]), vertical=True)
        labels = [int(np.argmax(row)) for row in logits[i]]
        share = max(labels.count(k) for k in range(3)) / 5
        assert got == pytest.approx(1 - overlap.sum() / 5 * share, abs=1e-5)
        assert 0 <= got <= 1


def test_frames_without_consensus_come_first():
    boxes = np.tile(CAR, (3, 1, 3, 1))
    boxes[2, 0, :, 0] += [-2, 0, 2]
    logits = np.stack([votes(0, 0, 0), votes(0, 0, 1), votes(0, 0, 0)])
    logits = logits.reshape(3, 1, 3, 3)
    pool = FrameSet(list("abc"), {"pass_boxes": boxes, "pass_logits": logits, "roi_mask": np.ones((3, 1), bool)})
    selection = Consensus().select(pool, FrameSet([]), Budget(3), np.random.default_rng(0))
    assert "".join(pool.ids[selection.indices]) == "cba"
