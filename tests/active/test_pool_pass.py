"""The pool pass with a detector whose every answer is known beforehand."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kecor.active import pool_pass
from kecor.active.oracle import SimulatedOracle
from kecor.active.selection.purchase import NEEDS
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.errors import CheckpointError
from kecor.frame_sets import store
from kecor.frame_sets.files import read_frames
from kecor.structures import Detections, Frame, FrameOutputs

IDS = [f"{i:03d}" for i in range(7)]
CLASSES = ["Car", "Pedestrian"]
N_ROIS = 4
PASSES = DropoutPasses(3, 0.25)
CAR = np.array([10, 0, -1, 4, 1.6, 1.5, 0.3], np.float32)


class Data:
    """Every frame holds one car at CAR, shifted by its number along y."""

    def read(self, frame_id, labels=True):
        points = np.zeros((5, 4), np.float32)
        return Frame(frame_id, points, *self.read_labels(frame_id)) if labels else Frame(frame_id, points)

    def read_labels(self, frame_id):
        return (CAR + np.float32([0, int(frame_id), 0, 0, 0, 0, 0]))[None], np.array(["Car"])


def outputs_of(frame_id):
    """Frame n: n % 3 detections and n % (N_ROIS + 1) RoIs, the first one right on its car; features are n and above."""
    n = int(frame_id)
    rois, boxes = n % (N_ROIS + 1), n % 3
    found = Detections(
        np.full((boxes, 7), n, np.float32), np.full(boxes, 0.5), np.ones(boxes, int), np.ones((boxes, 2))
    )
    roi_boxes = np.tile(CAR + np.float32([0, n, 0, 0, 0, 0, 0]), (rois, 1)) + 50 * np.arange(rois)[:, None]
    features = n + np.arange(rois * 3, dtype=np.float32).reshape(rois, 3)
    of_rois = roi_boxes, features, np.linspace(1, 0.5, rois), np.zeros(rois, int), np.full((rois, 2), n)
    passes = np.full((rois, PASSES.passes, 2), n), np.repeat(roi_boxes[:, None] + 1, PASSES.passes, 1)
    return FrameOutputs(found, *of_rois, np.full(2, n), *passes)


@pytest.fixture
def described(monkeypatch):
    """Names of the frames that were described, batch by batch."""
    seen = []

    def describe(detector, samples, *, batch_size, dropout=None, **settings):
        for start in range(0, len(samples.ids), batch_size):
            ids = samples.ids[start : start + batch_size]
            assert not samples.training
            assert all(len(samples.read(i).boxes) == 0 for i in ids)
            seen.append(ids)
            found = [detector(i) for i in ids]
            yield ids, found if dropout == PASSES else [replace(o, pass_logits=None, pass_boxes=None) for o in found]

    class Plain:
        def __init__(self, read, ids, data, training):
            self.read, self.ids, self.training = read, list(ids), training

    monkeypatch.setattr(pool_pass, "describe_batches", describe)
    monkeypatch.setattr(pool_pass, "Samples", Plain)
    monkeypatch.setattr(store, "CHUNK", 4)
    return seen


DATA = SimpleNamespace(classes=CLASSES)


def make_pass(folder, needs, load=lambda: outputs_of, ids=IDS, labelled=False):
    oracle = SimulatedOracle(Data(), [IDS[5:]])
    settings = {"device": "cpu", "batch_size": 2, "n_rois": N_ROIS, "amp": "none", "dropout": PASSES, "progress": False}
    pool_pass.pool_pass(load, oracle, ids, folder, frozenset(needs), DATA, labelled=labelled, **settings)
    return read_frames(folder)


def test_a_frame_set_holds_what_the_detector_said(tmp_path, described):
    pool = make_pass(tmp_path / "unlabelled", NEEDS, ids=IDS[:5])
    labelled = make_pass(tmp_path / "labelled", NEEDS, ids=IDS[5:], labelled=True)
    assert list(pool.ids) + list(labelled.ids) == IDS
    for part in (pool, labelled):
        for row, frame_id in enumerate(part.ids):
            said = outputs_of(frame_id)
            rois = len(said.roi_boxes)
            np.testing.assert_array_equal(part.feats["roi_mask"][row], np.arange(N_ROIS) < rois)
            np.testing.assert_array_equal(part.feats["roi_features"][row, :rois], said.roi_features)
            assert not part.feats["roi_features"][row, rois:].any()
            np.testing.assert_allclose(part.feats["roi_scores"][row, :rois], said.roi_scores)
            np.testing.assert_array_equal(part.feats["roi_logits"][row, :rois], said.roi_logits)
            for name in ("pass_logits", "pass_boxes"):
                np.testing.assert_array_equal(part.feats[name][row, :rois], np.float32(getattr(said, name)))
                assert not part.feats[name][row, rois:].any()
            np.testing.assert_array_equal(part.feats["embedding"][row], said.embedding)
            np.testing.assert_array_equal(part.detections[row].boxes, said.detections.boxes)
            np.testing.assert_array_equal(part.detections[row].labels, said.detections.labels)
            assert part.detections[row].n_points is None
    assert pool.feats["roi_features"].dtype == np.float16
    assert pool.feats["pass_boxes"].shape == (5, N_ROIS, 3, 7)
    assert "targets" not in pool.feats


def test_targets_are_those_of_the_rois_against_the_bought_labels(tmp_path, described):
    labelled = make_pass(tmp_path, {"roi_features"}, ids=IDS[5:], labelled=True)
    targets = labelled.feats["targets"]  # frame 005 has no RoI, frame 006 one, on its car
    assert targets.shape == (2, N_ROIS, len(CLASSES) + 7)
    np.testing.assert_allclose(targets[1, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0], atol=1e-5)
    assert not targets[0].any()
    assert not targets[1, 1:].any()


@pytest.mark.parametrize("need", sorted(NEEDS))
def test_only_what_is_needed_is_kept(tmp_path, described, need):
    pool = make_pass(tmp_path / "unlabelled", {need})
    labelled = make_pass(tmp_path / "labelled", {need}, ids=IDS[5:], labelled=True)
    of_rois = {"roi_mask", "roi_scores", "roi_labels"}
    expected = {
        "roi_scores": of_rois,
        "roi_features": {"roi_features", "roi_logits"} | of_rois,
        "dropout_passes": {"pass_logits", "pass_boxes"} | of_rois,
        "embedding": {"embedding"},
    }
    assert pool.feats.keys() == expected.get(need, set())
    assert ("targets" in labelled.feats) == (need == "roi_features")
    assert bool(pool.detections) == (need == "detections")
    truth = {"objects", "true_counts"} if of_rois <= pool.feats.keys() else set()
    assert labelled.feats.keys() - pool.feats.keys() - {"targets"} == truth


def test_the_roi_on_the_car_is_an_object_and_every_car_is_counted(tmp_path, described):
    labelled = make_pass(tmp_path, {"roi_scores"}, ids=IDS[5:], labelled=True)
    assert labelled.feats["objects"].tolist() == [[False] * 4, [True, False, False, False]]
    assert labelled.feats["true_counts"].tolist() == [[1, 0], [1, 0]]


def test_a_pool_of_an_older_version_is_computed_anew(tmp_path, described):
    make_pass(tmp_path, {"roi_features"})
    record = json.loads((tmp_path / store.RECORD).read_text())
    record["names"] = ["roi_features"]
    (tmp_path / store.RECORD).write_text(json.dumps(record))
    (tmp_path / "roi_labels.npy").unlink()
    assert "roi_labels" in make_pass(tmp_path, {"roi_features"}).feats


def test_a_killed_pass_goes_on_at_the_next_chunk_and_a_finished_one_needs_no_detector(tmp_path, described):
    def dies_at_005(frame_id):
        if frame_id == "005":
            raise KeyboardInterrupt
        return outputs_of(frame_id)

    with pytest.raises(KeyboardInterrupt):
        make_pass(tmp_path, {"detections"}, lambda: dies_at_005)
    described.clear()
    make_pass(tmp_path, {"detections"})
    assert described == [["004", "005"], ["006"]]
    described.clear()
    make_pass(tmp_path, {"detections"}, load=None)
    assert described == []


@pytest.mark.parametrize(
    ("need", "name"),
    [("roi_features", "roi_features"), ("dropout_passes", "pass_logits"), ("dropout_passes", "pass_boxes")],
)
def test_values_that_are_not_finite_are_an_error_that_names_the_frame(tmp_path, described, need, name):
    def diverged(frame_id):
        said = outputs_of(frame_id)
        if frame_id == "003":
            array = getattr(said, name).astype(np.float64)
            array[0, 0] = np.inf
            said = replace(said, **{name: array})
        return said

    with pytest.raises(CheckpointError, match=rf"frame 003.*{name}"):
        make_pass(tmp_path, {need}, lambda: diverged)
