import copy

import numpy as np
import pytest
import torch

from kecor import ops
from kecor.detectors import build_detector
from kecor.detectors.two_stage import TwoStage
from kecor.errors import ConfigError
from tests.detectors.plain_pv_rcnn import randomise
from tests.detectors.synthetic import BOXES, LABELS, NONE, PV_RCNN, SECOND_IOU, make_batch, scene, tiny_batch, tiny_data

CHANGED = {
    "post_processing": {"nms_threshold": 0.1, "score_threshold": 0.5},
    "proposals": {
        "train": {"pre_nms": 300, "post_nms": 50, "nms_threshold": 0.5},
        "test": {"pre_nms": 80, "post_nms": 10, "nms_threshold": 0.3},
    },
}


def is_pv_rcnn(detector: TwoStage) -> bool:
    return hasattr(detector, "point_head")


@pytest.fixture(params=[PV_RCNN, SECOND_IOU], ids=["pv_rcnn", "second_iou"])
def detector(request) -> TwoStage:
    """In eval mode, with boxes that are no anchors, and scores spread around the threshold of 0.5."""
    found = build_detector({**request.param, **CHANGED}, tiny_data(), seed=0).eval()
    randomise(found)
    with torch.no_grad():
        found.dense_head.conv_box.weight.mul_(20)
        last = (found.roi_head.cls_layers if is_pv_rcnn(found) else found.roi_head.iou_layers)[-1]
        last.weight.mul_(20)
        last.bias -= found(**tiny_batch(2))["roi_logits"].mean()
    return found


def frame(seed: int, boxes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return scene(BOXES[:boxes], np.random.default_rng(seed)), BOXES[:boxes], LABELS[:boxes]


def suppressed(boxes: np.ndarray, threshold: float, limit: int) -> list[int]:
    """Rows that are kept of boxes, best first: each that overlaps none of those before it too much."""
    overlap, kept = ops.iou_bev(boxes, boxes), []
    for row in range(len(boxes)):
        if len(kept) < limit and all(overlap[row, k] <= threshold for k in kept):
            kept.append(row)
    return kept


def plain_proposals(detector, data: dict, number: int, pre_nms: int, post_nms: int, nms_threshold: float) -> dict:
    """Boxes, scores, labels and logits of one frame, by the book."""
    logits = data["cls_preds"][number].detach().numpy()
    best = logits.max(axis=1)
    order = np.argsort(-best, kind="stable")[:pre_nms]
    boxes = detector.dense_head.decode(data, number).detach().numpy()[order]
    kept = order[suppressed(boxes, nms_threshold, post_nms)]
    scores = 1 / (1 + np.exp(-best[kept]))
    boxes = detector.dense_head.decode(data, number).detach().numpy()[kept]
    return {"boxes": boxes, "scores": scores, "labels": logits[kept].argmax(axis=1), "logits": logits[kept]}


def same(rois, expected: dict, rows=slice(None)) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(rois, name).numpy(), value[rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_proposals_are_the_best_boxes_after_suppression_within_the_limits_of_the_mode(detector, training):
    data = detector.train(training)(**make_batch([frame(0), NONE, frame(1, 1)], tiny_data()))
    for number in range(3):
        limits = CHANGED["proposals"]["train" if training else "test"]
        expected = plain_proposals(detector, data, number, **limits)
        assert 0 < len(expected["boxes"]) <= limits["post_nms"]
        if training:
            rows = data["samples"][number].index.numpy()
            assert rows.shape == (24,)
            same(data["rois"][number], expected, rows)
        else:
            same(data["rois"][number], expected)
            assert "samples" not in data
    assert len(data["roi_scores"]) == sum(len(r.boxes) for r in data["rois"])


def test_samples_are_matched_with_the_ground_truth_of_their_own_frame(detector):
    """The boxes of either frame are proposals of it, and nowhere near an object of the other."""
    far = BOXES + np.array([0, 4, 0, 0, 0, 0, 0], np.float32)
    batch = make_batch([frame(0), NONE, (scene(far, np.random.default_rng(1)), far, LABELS)], tiny_data())
    data, truth = detector.train()(**batch), batch["gt_boxes"]
    for number, (found, rois) in enumerate(zip(data["samples"], data["rois"])):
        same_class = rois.labels[:, None].numpy() == batch["gt_labels"][number].numpy()
        overlap = ops.iou_3d(rois.boxes.numpy(), truth[number].numpy()) * same_class
        np.testing.assert_allclose(found.iou.numpy(), overlap.max(axis=1, initial=0), atol=1e-6)
        matched = found.gt_boxes[found.gt_boxes.any(dim=1)]
        assert bool(len(matched)) == bool(len(truth[number]))
        assert all((box == truth[number]).all(dim=1).any() for box in matched)


def test_the_samples_depend_on_the_step_alone(detector):
    detector.train()
    batch = make_batch([frame(0), frame(1)], tiny_data())

    def samples(step: int) -> list[list[int]]:
        detector.global_step.fill_(step)
        return [s.index.tolist() for s in detector(**batch)["samples"]]

    first, second = samples(7), samples(8)
    assert samples(7) == first != second
    assert first[0] != first[1]


def test_each_training_batch_is_a_step(detector):
    detector.train()
    batch = tiny_batch()
    for step in (1, 2):
        detector(mode="loss", **batch)
        assert int(detector.global_step) == step
    detector.eval()(mode="predict", **batch)
    assert int(detector.global_step) == 2


def test_loss_in_eval_mode_is_refused(detector):
    with pytest.raises(RuntimeError, match="training mode"):
        detector(mode="loss", **tiny_batch())


def test_losses_of_both_stages_add_up(detector):
    losses = detector.train()(mode="loss", **tiny_batch(2))
    of_pv_rcnn = {"loss_rcnn_cls", "loss_rcnn_reg", "loss_rcnn_corner", "loss_point"}
    second = of_pv_rcnn if is_pv_rcnn(detector) else {"loss_rcnn_iou"}
    assert losses.keys() == {"loss_cls", "loss_loc", "loss_dir"} | second
    assert all(value.isfinite() and value.ndim == 0 for value in losses.values())


def test_detections_have_the_scores_of_the_roi_head_and_the_labels_of_the_proposals(detector):
    data = detector(**make_batch([frame(0), frame(1, 1)], tiny_data()))
    begin = 0
    for found, rois in zip(detector.detections(data), data["rois"]):
        rows = slice(begin, begin + len(rois.boxes))
        boxes, scores = data["roi_boxes"][rows].detach().numpy(), data["roi_scores"][rows].detach().numpy()
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= 0.5]
        order = order[suppressed(boxes[order], 0.1, 500)]
        assert 0 < len(order) < len(rois.boxes)
        np.testing.assert_allclose(found.boxes, boxes[order], atol=1e-6)
        np.testing.assert_allclose(found.scores, scores[order], atol=1e-6)
        assert found.labels.tolist() == rois.labels[order].tolist()
        np.testing.assert_allclose(found.logits, rois.logits[order].detach(), atol=1e-6)
        assert np.abs(found.scores - 1 / (1 + np.exp(-found.logits.max(axis=1)))).min() > 1e-3
        begin = rows.stop


@pytest.mark.parametrize("n_rois", [4, 10, 64])
def test_regions_are_the_proposals_the_roi_head_likes_best(detector, n_rois):
    batch = make_batch([frame(0), NONE, frame(1, 1)], tiny_data())
    before = copy.deepcopy(detector.state_dict())
    data, outputs = detector(**batch), detector.describe(batch, n_rois)
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    begin = 0
    for out, rois in zip(outputs, data["rois"]):
        rows = slice(begin, begin + len(rois.boxes))
        order = torch.sort(data["roi_scores"][rows], descending=True, stable=True).indices[:n_rois].numpy()
        assert len(order) == min(n_rois, len(rois.boxes))
        assert detector.roi_feature_channels == 256
        assert out.roi_features.shape == (len(order), 256)
        assert (np.diff(out.roi_scores) <= 0).all()
        features = data["roi_features"][rows].detach().numpy()
        np.testing.assert_allclose(out.roi_scores, data["roi_scores"][rows].detach().numpy()[order], atol=1e-5)
        np.testing.assert_allclose(out.roi_features, features[order], atol=1e-4)
        np.testing.assert_allclose(out.roi_boxes, rois.boxes.detach().numpy()[order], atol=1e-5)
        assert out.roi_labels.tolist() == rois.labels[order].tolist()
        np.testing.assert_allclose(out.embedding, features.mean(axis=0), atol=1e-4)
        begin = rows.stop


def test_frames_do_not_depend_on_the_others_of_their_batch(detector):
    """RoIs are compared in the order of the proposals: those without a keypoint near them score the same."""
    frames, begin = [frame(0), NONE, frame(1, 1)], 0
    batch = make_batch(frames, tiny_data())
    together, detections = detector(**batch), detector(mode="predict", **batch)
    for number, one in enumerate(frames):
        batch = make_batch([one], tiny_data())
        data, (found,) = detector(**batch), detector(mode="predict", **batch)
        end = begin + len(data["roi_boxes"])
        for name in ("roi_boxes", "roi_scores", "roi_features"):
            torch.testing.assert_close(together[name][begin:end], data[name], atol=1e-4, rtol=0)
        torch.testing.assert_close(together["rois"][number].logits, data["rois"][0].logits, atol=1e-4, rtol=0)
        np.testing.assert_allclose(
            detector.embedding(together)[number].detach(), detector.embedding(data)[0].detach(), atol=1e-4
        )
        np.testing.assert_allclose(np.sort(found.scores), np.sort(detections[number].scores), atol=1e-4)
        begin = end
    assert begin == len(together["roi_boxes"])


def test_describe_refuses_training_mode(detector):
    with pytest.raises(RuntimeError, match="eval mode"):
        detector.train().describe(tiny_batch(), 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proposals": {"train": CHANGED["proposals"]["train"]}}, "proposals: got train; expected train and test"),
        ({"proposals": {**CHANGED["proposals"], "test": {"pre_nms": 1}}}, "proposals.test.post_nms is missing"),
        (
            {"proposals": {**CHANGED["proposals"], "train": {"pre_nsm": 1}}},
            "detector.proposals.train.pre_nsm'; did you mean 'pre_nms'",
        ),
        ({"sampling": {"roi": 4}}, "detector.sampling.roi'; did you mean 'rois'"),
        ({"sampling": {"rois": 0}}, r"detector\.sampling\.rois"),
        ({"roi_head": {"grid": 4}}, r"detector\.roi_head\.grid"),
    ],
)
@pytest.mark.parametrize("section", [PV_RCNN, SECOND_IOU], ids=["pv_rcnn", "second_iou"])
def test_wrong_arguments_are_config_errors(section, changes, message):
    with pytest.raises(ConfigError, match=message):
        build_detector({**section, **changes}, tiny_data())
