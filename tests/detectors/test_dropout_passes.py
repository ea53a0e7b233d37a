"""Dropout passes against a plain form: the whole masked map through the whole head, RoIs looked up in the answer."""

import copy

import numpy as np
import pytest
import torch

from kecor import ops
from kecor.detectors import Detector, build_detector
from kecor.detectors.dropout_passes import DENSE_HEAD, ROI_HEAD, DropoutPasses
from kecor.detectors.targets.roi_frame import decode_residuals
from kecor.errors import KecorError
from tests.detectors.plain_pv_rcnn import randomise
from tests.detectors.synthetic import (
    BOXES,
    LABELS,
    NONE,
    PV_RCNN,
    SECOND_IOU,
    SMALL,
    make_batch,
    scene,
    tiny_batch,
    tiny_data,
)

DROPOUT = DropoutPasses(passes=4, rate=0.3)
N_ROIS = 12
FRAMES = [(scene(BOXES, np.random.default_rng(seed)), BOXES, LABELS) for seed in range(2)]
FRAMES.insert(1, NONE)


@pytest.fixture(scope="module", params=[SMALL, SECOND_IOU, PV_RCNN], ids=lambda section: section["type"])
def detector(request) -> Detector:
    """In eval mode, with boxes that are no anchors and second thoughts about them."""
    found = build_detector(request.param, tiny_data(), seed=0).eval()
    randomise(found)
    with torch.no_grad():
        found.dense_head.conv_box.weight.mul_(20)
        if is_pv_rcnn(found):
            found.roi_head.reg_layers[-1].weight.mul_(100)
    return found


def is_pv_rcnn(detector: Detector) -> bool:
    return hasattr(detector, "point_head")


def plain_passes(detector: Detector, batch: dict, dropout: DropoutPasses) -> list[tuple[np.ndarray, np.ndarray]]:
    """(R, P, classes) logits and (R, P, 7) boxes of each frame."""
    with torch.no_grad():
        data = detector(**batch)
        answers = []
        for mask in torch.from_numpy(dropout.masks(data["spatial_features_2d"].shape[1], DENSE_HEAD)):
            bev = data["spatial_features_2d"] * mask[:, None, None]
            answers.append(detector.dense_head({**data, "spatial_features_2d": bev}))
        found = []
        for frame in range(data["batch_size"]):
            rois, features = detector.regions(data, frame, N_ROIS)
            logits = torch.stack([answer["cls_preds"][frame, rois.anchors] for answer in answers], 1)
            boxes = [detector.dense_head.decode(answer, frame)[rois.anchors] for answer in answers]
            if is_pv_rcnn(detector):
                masks = torch.from_numpy(dropout.masks(features.shape[1], ROI_HEAD))
                boxes = [decode_residuals(detector.roi_head.reg_layers(features * m), rois.boxes) for m in masks]
            found.append((logits.numpy(), torch.stack(boxes, 1).numpy()))
    return found


def assert_same_boxes(got: np.ndarray, expected: np.ndarray) -> None:
    """Headings alike up to whole turns."""
    np.testing.assert_allclose(got[..., :6], expected[..., :6], atol=1e-4, rtol=1e-4)
    turn = got[..., 6] - expected[..., 6]
    np.testing.assert_allclose(turn - 2 * np.pi * np.round(turn / (2 * np.pi)), 0, atol=1e-4)


def test_passes_are_those_of_the_whole_masked_map(detector):
    batch = make_batch(FRAMES, tiny_data())
    outputs = detector.describe(batch, N_ROIS, DROPOUT)
    for out, (logits, boxes) in zip(outputs, plain_passes(detector, batch, DROPOUT), strict=True):
        assert out.pass_logits.shape == (len(out.roi_boxes), 4, 3)
        assert out.pass_boxes.shape == (len(out.roi_boxes), 4, 7)
        assert {out.pass_logits.dtype, out.pass_boxes.dtype} == {np.dtype(np.float32)}
        np.testing.assert_allclose(out.pass_logits, logits, atol=1e-4)
        assert_same_boxes(out.pass_boxes, boxes)
        assert (np.abs(out.pass_boxes[..., 6]) <= np.pi + 1e-6).all()
    assert outputs[0].pass_logits.std(1).mean() > 1e-2
    assert outputs[0].pass_boxes.std(1).mean() > 1e-3


def test_next_to_no_dropout_gives_what_the_detector_says_without(detector):
    batch = tiny_batch()
    (out,) = detector.describe(batch, N_ROIS, DropoutPasses(2, 1e-9))
    np.testing.assert_allclose(out.pass_logits, np.repeat(out.roi_logits[:, None], 2, 1), atol=1e-4)
    boxes = out.roi_boxes
    if is_pv_rcnn(detector):
        data = detector(**batch)
        boxes = data["roi_boxes"][torch.sort(data["roi_scores"], descending=True, stable=True).indices[:N_ROIS]]
        boxes = boxes.detach().numpy()
        assert np.abs(boxes - out.roi_boxes).max() > 0.01
    assert_same_boxes(out.pass_boxes, np.repeat(boxes[:, None], 2, 1))


def test_a_frame_reads_the_same_alone_and_in_a_batch(detector):
    together = detector.describe(make_batch(FRAMES, tiny_data()), N_ROIS, DROPOUT)
    for frame, out in zip(FRAMES, together, strict=True):
        (alone,) = detector.describe(make_batch([frame], tiny_data()), N_ROIS, DROPOUT)
        if len(frame[0]):  # without points, scores tie up to rounding
            np.testing.assert_allclose(out.pass_logits, alone.pass_logits, atol=1e-4)
            assert_same_boxes(out.pass_boxes, alone.pass_boxes)


def test_everything_else_is_the_same_to_the_bit_with_and_without(detector):
    before = copy.deepcopy(detector.state_dict())
    plain, thinned = detector.describe(tiny_batch(2), N_ROIS), detector.describe(tiny_batch(2), N_ROIS, DROPOUT)
    for a, b in zip(plain, thinned, strict=True):
        assert a.pass_logits is None
        assert a.pass_boxes is None
        for name in ("roi_boxes", "roi_features", "roi_scores", "roi_labels", "roi_logits", "embedding"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        np.testing.assert_array_equal(a.detections.boxes, b.detections.boxes)
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())


def test_half_precision_leaves_the_heads_alone(detector):
    with torch.autocast("cpu", torch.bfloat16):
        (out,) = detector.describe(tiny_batch(), N_ROIS, DropoutPasses(2, 1e-9))
    np.testing.assert_allclose(out.pass_logits[:, 0], out.roi_logits, atol=1e-4)
    assert out.pass_boxes.dtype == np.float32
    assert np.isfinite(out.pass_boxes).all()


def test_proposals_know_their_anchors(detector):
    data = detector(**tiny_batch())
    rois, _ = detector.regions(data, 0, N_ROIS)
    torch.testing.assert_close(data["cls_preds"][0, rois.anchors], rois.logits)
    torch.testing.assert_close(detector.dense_head.decode(data, 0, rois.anchors), rois.boxes)
    anchors = detector.dense_head.anchors.view(-1, 7)[rois.anchors]
    assert (ops.iou_bev(anchors, rois.boxes).diagonal() > 0).float().mean() > 0.5


def test_masks_depend_on_nothing_but_their_arguments():
    dropout = DropoutPasses(200, 0.2)
    masks = dropout.masks(64, DENSE_HEAD)
    assert masks.shape == (200, 64)
    assert masks.dtype == np.float32
    assert set(np.unique(masks).tolist()) == {0.0, 1.25}
    assert (masks == 0).mean() == pytest.approx(0.2, abs=0.02)
    assert masks.mean() == pytest.approx(1, abs=0.02)
    assert len(np.unique(masks, axis=0)) == 200
    np.testing.assert_array_equal(masks, dropout.masks(64, DENSE_HEAD))
    assert (masks != dropout.masks(64, ROI_HEAD)).mean() == pytest.approx(2 * 0.2 * 0.8, abs=0.03)


def test_a_detector_without_passes_says_so(monkeypatch):
    detector = build_detector(SMALL, tiny_data()).eval()
    monkeypatch.setattr(type(detector), "passes", Detector.passes)
    with pytest.raises(KecorError, match="Second has no dropout passes"):
        detector.describe(tiny_batch(), 4, DROPOUT)
    assert len(detector.describe(tiny_batch(), 4)) == 1
