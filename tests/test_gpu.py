"""Detectors, mixed precision and a round of active learning on a CUDA device, compared with the CPU."""

import json

import numpy as np
import pytest
import torch

from kecor.active.loop import run
from kecor.detectors import build_detector
from kecor.engine.train import train
from tests.active.tiny import tiny_config, write_tiny_set
from tests.detectors.synthetic import PV_RCNN, SECOND_IOU, SMALL, tiny_batch, tiny_data
from tests.engine.fakes import FakeDetector, make_samples, schedule

DEVICE = "cuda"
DETECTORS = {
    "second": SMALL,
    "second_iou": {**SECOND_IOU, "roi_head": {**SECOND_IOU["roi_head"], "dropout": 0.0}},
    "pv_rcnn": {**PV_RCNN, "roi_head": {**PV_RCNN["roi_head"], "dropout": 0.0}},
}
"""Without dropout, whose masks differ between devices."""
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def on(device, name, training):
    detector = build_detector(DETECTORS[name], tiny_data(), seed=0).to(device)
    return detector.train(training)


@pytest.mark.parametrize("name", DETECTORS)
def test_loss_and_gradients_are_those_of_the_cpu(name):
    results = []
    for device in ("cpu", DEVICE):
        detector = on(device, name, training=True)
        losses = detector(mode="loss", **detector.data_preprocessor(tiny_batch(2), True))
        sum(losses.values()).backward()
        gradients = {key: p.grad.cpu() for key, p in detector.named_parameters() if p.grad is not None}
        results.append(({key: loss.item() for key, loss in losses.items()}, gradients))
    (losses, gradients), (on_device, gradients_there) = results
    assert on_device == pytest.approx(losses, rel=1e-3, abs=1e-5)
    assert gradients.keys() == gradients_there.keys()
    for key, gradient in gradients.items():  # TF32 convolutions round to 11 bits
        assert (gradients_there[key] - gradient).norm() <= 0.02 * gradient.norm() + 1e-5, key


@pytest.mark.parametrize("name", DETECTORS)
def test_detections_are_those_of_the_cpu(name):
    found = []
    for device in ("cpu", DEVICE):
        with torch.no_grad():
            detector = on(device, name, training=False)
            found.append(detector(mode="predict", **detector.data_preprocessor(tiny_batch(2), False)))
    for frame, there in zip(*found):
        assert abs(len(frame) - len(there)) <= 1
        n = min(len(frame), len(there), 10)
        np.testing.assert_allclose(np.sort(frame.scores)[::-1][:n], np.sort(there.scores)[::-1][:n], atol=2e-3)


@pytest.mark.parametrize("amp", ["none", "bf16", "fp16"])
def test_a_training_ends_near_that_of_the_cpu(tmp_path, amp):
    losses = []
    for folder, device, precision in (("here", "cpu", "none"), ("there", DEVICE, amp)):
        plan = schedule(amp=precision)
        result = train(FakeDetector(), make_samples(5), plan, tmp_path / folder, device=device, seed=1, progress=False)
        losses.append(result.losses)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4 if amp == "none" else 0.1)


def test_a_run_with_kecor_ends_in_a_report(tmp_path):
    config = tiny_config(
        write_tiny_set(tmp_path / "set", 8, 2),
        active={"initial": 4, "rounds": 1, "amount": 2.0},
        acquisition={"type": "kecor"},
    )
    run(config, tmp_path / "run", device=DEVICE, progress=False, log=lambda message: None)
    selection = json.loads((tmp_path / "run" / "round_00" / "selection.json").read_text())
    assert len(selection["ids"]) == 2
    assert all(np.isfinite(selection["gains"]))
    assert (tmp_path / "run" / "report.html").is_file()
