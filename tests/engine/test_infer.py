from __future__ import annotations

import numpy as np
import pytest
import torch

from kecor.datasets.samples import collate
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.engine.infer import describe_batches, predict
from kecor.errors import DataError, KecorError
from tests.engine.fakes import FakeDetector, make_samples, read_frame, same_weights, weights


def detector_with_moved_statistics() -> FakeDetector:
    detector = FakeDetector()
    for _ in range(3):
        detector(mode="loss", **collate([make_samples(2)[0, i] for i in range(2)]))
    return detector


@pytest.mark.parametrize("batch_size", [1, 2, 4, 9])
def test_each_frame_gets_what_it_gets_alone(batch_size):
    detector, samples = detector_with_moved_statistics(), make_samples(5, training=False)
    found = predict(detector, samples, device="cpu", batch_size=batch_size, progress=None)
    assert list(found) == samples.ids
    detector.eval()
    for index, frame_id in enumerate(samples.ids):
        alone = detector(mode="predict", **collate([samples[index]]))[0]
        np.testing.assert_allclose(found[frame_id].boxes, alone.boxes, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_detector_is_left_as_it_was(training):
    detector = detector_with_moved_statistics().train(training)
    before = weights(detector)
    found = predict(detector, make_samples(3, training=False), device="cpu", progress=None)
    list(describe_batches(detector, make_samples(3, training=False), device="cpu", batch_size=2, n_rois=4))
    assert len(found) == 3
    assert detector.training is training
    assert same_weights(before, weights(detector))


def test_workers_change_nothing():
    detector = detector_with_moved_statistics()
    here = predict(detector, make_samples(5, training=False), device="cpu", progress=None)
    there = predict(detector, make_samples(5, training=False, workers=2), device="cpu", progress=None)
    for frame_id, found in here.items():
        np.testing.assert_array_equal(found.boxes, there[frame_id].boxes)


def test_no_frames_no_detections():
    assert predict(FakeDetector(), make_samples(0, training=False), device="cpu", progress=None) == {}


def test_descriptions_come_batch_by_batch_in_order():
    detector, samples = detector_with_moved_statistics(), make_samples(5, training=False)
    batches = list(describe_batches(detector, samples, device="cpu", batch_size=2, n_rois=3))
    assert [ids for ids, _ in batches] == [samples.ids[:2], samples.ids[2:4], samples.ids[4:]]
    outputs = [output for _, part in batches for output in part]
    assert all(output.roi_features.shape == (3, 7) for output in outputs)
    found = predict(detector, samples, device="cpu", progress=None)
    for frame_id, output in zip(samples.ids, outputs, strict=True):
        np.testing.assert_allclose(output.detections.boxes, found[frame_id].boxes, atol=1e-5)


def test_a_detector_that_takes_no_dropout_passes_says_so():
    passes = describe_batches(
        FakeDetector(),
        make_samples(2, training=False),
        device="cpu",
        batch_size=2,
        n_rois=3,
        dropout=DropoutPasses(2, 0.1),
    )
    with pytest.raises(KecorError, match="FakeDetector has no dropout passes"):
        next(passes)


def test_bfloat16_is_close_and_not_the_same():
    detector, samples = detector_with_moved_statistics(), make_samples(3, training=False)
    single = predict(detector, samples, device="cpu", progress=None)
    half = predict(detector, samples, device="cpu", amp="bf16", progress=None)
    gaps = [np.abs(single[frame_id].boxes - half[frame_id].boxes).max() for frame_id in samples.ids]
    assert 0 < max(gaps) < 0.2


def test_one_bar_or_none(capsys):
    predict(FakeDetector(), make_samples(3, training=False), device="cpu", progress="look")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "look: 100%" in shown.err
    predict(FakeDetector(), make_samples(3, training=False), device="cpu", progress=None)
    assert capsys.readouterr() == ("", "")


def fail(frame_id: str):
    if frame_id == "000002":
        raise DataError("velodyne/000002.bin: holds 7 bytes: not a whole number of points")
    return read_frame(frame_id)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_frame_that_cannot_be_read_is_one_line_wherever_it_was_read(workers):
    samples = make_samples(4, training=False, workers=workers, read=fail)
    with pytest.raises(DataError) as error:
        predict(FakeDetector(), samples, device="cpu", batch_size=1, progress=None)
    assert str(error.value) == "velodyne/000002.bin: holds 7 bytes: not a whole number of points"


def test_the_global_generator_is_not_drawn_from():
    before = torch.get_rng_state()
    predict(FakeDetector(), make_samples(3, training=False), device="cpu", progress=None)
    assert torch.equal(before, torch.get_rng_state())
