import math
from collections import Counter

import numpy as np
import pytest
import torch

from kecor.detectors.targets.roi_sampling import RoiSampling, class_targets, sample
from kecor.errors import ConfigError

GT = torch.tensor([[20.0, 3.0, -1.0, 4.0, 2.0, 1.5, 0.0]])
LABEL = torch.tensor([1])
NONE = (torch.zeros(0, 7), torch.zeros(0, dtype=torch.long))


def at_overlaps(ious: list[float]) -> torch.Tensor:
    """Boxes like ``GT``'s, moved along it until their IoU with it is as given."""
    boxes = GT.repeat(len(ious), 1)
    boxes[:, 0] += torch.tensor([4.0 * (1 - v) / (1 + v) for v in ious])
    return boxes


def draw(ious: list[float], seed: int = 0, **settings):
    labels = torch.ones(len(ious), dtype=torch.long)
    return sample(at_overlaps(ious), labels, GT, LABEL, RoiSampling(**settings), np.random.default_rng(seed))


def kinds(found) -> tuple[int, int, int]:
    """How many foreground, hard and easy ones were sampled."""
    iou = found.iou.numpy()
    return int((iou >= 0.55).sum()), int(((iou >= 0.1) & (iou < 0.55)).sum()), int((iou < 0.1).sum())


@pytest.mark.parametrize(
    ("foreground", "hard", "easy", "expected"),
    [
        (100, 100, 100, (64, 51, 13)),  # int(0.8 * 64) hard
        (5, 200, 200, (5, 98, 25)),  # few foreground: the background fills
        (100, 7, 100, (64, 7, 57)),  # at most as many hard ones as there are
        (100, 0, 3, (64, 0, 64)),
        (100, 3, 0, (64, 64, 0)),  # no easy ones: the hard ones fill, again and again
        (0, 30, 30, (0, 30, 98)),
        (0, 200, 1, (0, 102, 26)),
        (0, 0, 1, (0, 0, 128)),
        (0, 1, 0, (0, 128, 0)),
        (200, 0, 0, (128, 0, 0)),
        (2, 0, 0, (128, 0, 0)),
    ],
)
def test_counts_of_each_kind(foreground, hard, easy, expected):
    ious = [0.9] * foreground + [0.3] * hard + [0.05] * easy
    order = np.random.default_rng(1).permutation(len(ious))
    found = draw([ious[i] for i in order])
    assert kinds(found) == expected
    assert found.index.dtype == torch.long
    assert found.gt_boxes.shape == (128, 7)
    is_foreground = found.iou >= 0.55
    assert is_foreground[: expected[0]].all()
    assert not is_foreground[expected[0] :].any()
    for i, iou in zip(found.index.tolist(), found.iou.tolist()):
        assert iou == pytest.approx(ious[order[i]], abs=1e-5)


def test_foreground_is_drawn_without_replacement_unless_there_is_nothing_else():
    assert draw([0.9] * 70 + [0.05]).index[:64].unique().numel() == 64
    counts = Counter(draw([0.9] * 4).index.tolist())
    assert set(counts) == {0, 1, 2, 3}
    assert sum(counts.values()) == 128


def test_every_proposal_of_a_kind_is_as_likely_as_the_next():
    ious = [0.9] * 6 + [0.3] * 3 + [0.05] * 4
    counts = np.zeros(len(ious))
    for seed in range(400):
        counts += np.bincount(draw(ious, seed, rois=8, hard_share=0.5).index.numpy(), minlength=len(ious))
    for expected, part in ((400 * 4 / 6, counts[:6]), (400 * 2 / 3, counts[6:9]), (400 * 2 / 4, counts[9:])):
        assert np.abs(part - expected).max() < 5 * math.sqrt(expected)


@pytest.mark.parametrize(("threshold", "n_foreground"), [(0.5, 1), (0.50001, 0)])
def test_a_proposal_at_the_threshold_is_foreground(threshold, n_foreground):
    gt = torch.tensor([[0.0, 0, 0, 3, 1, 1, 0]])
    boxes = torch.tensor([[90.0, 0, 0, 3, 1, 1, 0], [1.0, 0, 0, 3, 1, 1, 0]])  # IoU 0 and exactly 2 / 4
    labels = torch.zeros(2, dtype=torch.long)
    config = RoiSampling(rois=8, foreground_iou=threshold, hard_share=0.0)
    found = sample(boxes, labels, gt, labels[:1], config, np.random.default_rng(0))
    assert found.index.tolist() == [1] * n_foreground + [0] * (8 - n_foreground)
    assert found.iou.tolist() == [0.5] * n_foreground + [0.0] * (8 - n_foreground)


def overlap(a: list[float], b: list[float]) -> float:
    """3D IoU of two boxes without heading, by hand."""
    shared = 1.0
    for k in range(3):
        shared *= max(
            0.0, min(a[k] + a[k + 3] / 2, b[k] + b[k + 3] / 2) - max(a[k] - a[k + 3] / 2, b[k] - b[k + 3] / 2)
        )
    return shared / (math.prod(a[3:6]) + math.prod(b[3:6]) - shared)


def test_each_proposal_is_matched_to_the_box_of_its_class_it_overlaps_most():
    rng = np.random.default_rng(3)
    centres, sizes = rng.uniform(0, 8, (60, 3)) * [1, 1, 0.2], rng.uniform(1, 4, (60, 3))
    everything = torch.from_numpy(np.column_stack([centres, sizes, np.zeros(60)])).float()
    labels = torch.from_numpy(rng.integers(0, 3, 60))
    gt_boxes, gt_labels = everything[40:], labels[40:].clamp(max=1)  # no box of class 2
    found = sample(everything[:40], labels[:40], gt_boxes, gt_labels, RoiSampling(rois=200), np.random.default_rng(0))
    seen = set()
    for i, matched, iou in zip(found.index.tolist(), found.gt_boxes, found.iou.tolist()):
        same = [g.tolist() for g, c in zip(gt_boxes, gt_labels) if c == labels[i]]
        expected = [overlap(everything[i].tolist(), g) for g in same]
        assert iou == pytest.approx(max(expected, default=0), abs=1e-5)
        if iou > 0:
            assert matched.tolist() == same[int(np.argmax(expected))]
        elif not same:
            assert not matched.any()
        else:
            assert matched.tolist() in same
        seen.add((bool(same), iou > 0.1))
    assert seen == {(True, True), (True, False), (False, False)}


def test_a_box_of_another_class_is_never_matched():
    found = sample(GT, LABEL, GT, LABEL + 1, RoiSampling(), np.random.default_rng(0))
    assert not found.iou.any()
    assert not found.gt_boxes.any()
    both = torch.cat([GT, GT + torch.tensor([30.0, 0, 0, 0, 0, 0, 0])])
    found = sample(GT, LABEL, both, torch.tensor([0, 1]), RoiSampling(), np.random.default_rng(0))
    assert not found.iou.any()
    torch.testing.assert_close(found.gt_boxes, both[1:].expand(128, 7))  # of its class, though far off


def test_the_same_generator_gives_the_same_sample():
    ious = list(np.linspace(0, 1, 300))
    first, again, other = draw(ious, 5), draw(ious, 5), draw(ious, 6)
    assert first.index.tolist() == again.index.tolist()
    assert first.index.tolist() != other.index.tolist()


def test_without_ground_truth_all_is_easy_background():
    boxes = at_overlaps([0.9, 0.3, 0.0])
    found = sample(boxes, torch.tensor([0, 1, 2]), *NONE, RoiSampling(), np.random.default_rng(0))
    assert found.index.unique().tolist() == [0, 1, 2]
    assert found.gt_boxes.shape == (128, 7)
    assert not found.gt_boxes.any()
    assert not found.iou.any()


@pytest.mark.parametrize("ground_truth", [(GT, LABEL), NONE])
def test_without_proposals_nothing_is_sampled(ground_truth):
    found = sample(*NONE, *ground_truth, RoiSampling(), np.random.default_rng(0))
    assert (found.index.shape, found.gt_boxes.shape, found.iou.shape) == ((0,), (0, 7), (0,))
    assert (found.index.dtype, found.iou.dtype) == (torch.long, torch.float32)


@pytest.mark.parametrize("iou", [0.9, 0.3, 0.0])
def test_one_proposal_is_taken_every_time(iou):
    found = draw([iou])
    assert found.index.tolist() == [0] * 128
    torch.testing.assert_close(found.gt_boxes, GT.expand(128, 7))


def test_no_gradient_comes_out():
    boxes = at_overlaps([0.9, 0.3]).requires_grad_()
    found = sample(boxes, torch.ones(2, dtype=torch.long), GT, LABEL, RoiSampling(), np.random.default_rng(0))
    assert not found.gt_boxes.requires_grad
    assert not found.iou.requires_grad


def test_score_targets_rise_between_the_two_overlaps():
    iou = torch.tensor([0.0, 0.25, 0.3, 0.5, 0.75, 0.9])
    torch.testing.assert_close(class_targets(iou, RoiSampling()), torch.tensor([0.0, 0.0, 0.1, 0.5, 1.0, 1.0]))
    other = class_targets(iou, RoiSampling(score_iou=[0.5, 0.9]))
    torch.testing.assert_close(other, torch.tensor([0.0, 0.0, 0.0, 0.0, 0.625, 1.0]))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rois", 0),
        ("rois", 12.5),
        ("rois", True),
        ("foreground", 1.1),
        ("foreground", "half"),
        ("foreground_iou", 0.0),
        ("foreground_iou", None),
        ("hard_share", -0.1),
        ("hard_share", math.nan),
        ("easy_iou", 0.6),
        ("score_iou", [0.75, 0.25]),
        ("score_iou", [0.5, 0.5]),
        ("score_iou", [0.1, 0.2, 0.3]),
        ("score_iou", 0.5),
        ("score_iou", ["low", "high"]),
    ],
)
def test_impossible_settings_are_named(key, value):
    with pytest.raises(ConfigError, match=rf"detector\.sampling\.{key}: "):
        RoiSampling(**{key: value})
