"""Pictures show the boxes that are probably correct, by what the detector got right in the labelled frames."""

import numpy as np
import pytest

from kecor.frame_sets.files import write_frames
from kecor.structures import Detections, FrameSet
from kecor.visualization.confidence import read_confidence
from kecor.visualization.pick_views import read_view
from kecor.visualization.report import update_report
from kecor.visualization.run_folder import read_run
from tests.visualization.fake_run import CLASSES, FakeFrames, fake_frame, write_run
from tests.visualization.test_report import Page

CARS = np.linspace(0.2, 0.98, 40)
PEDESTRIANS = np.array([0.4, 0.9])
CYCLISTS = np.linspace(0.5, 0.99, 30)
FIRST = CARS[27]
"""Score from which cars are right; no cyclist is."""


def labelled_frame() -> tuple[Detections, np.ndarray, np.ndarray]:
    """Detections 10 m apart and the true boxes, 10 cm from those that are right."""
    scores = np.concatenate([CARS, PEDESTRIANS, CYCLISTS])
    labels = np.repeat([0, 1, 2], [len(CARS), len(PEDESTRIANS), len(CYCLISTS)])
    boxes = np.array([[10.0 * i, 0, 0, 4, 2, 1.5, 0] for i in range(len(scores))], np.float32)
    right = (labels == 0) & (scores >= FIRST)
    return Detections(boxes, scores, labels), boxes[right] + np.float32([0.1] + [0] * 6), np.full(right.sum(), "Car")


class Frames(FakeFrames):
    """Frame 900000 is the labelled one."""

    def read_labels(self, frame_id):
        return labelled_frame()[1:] if frame_id == "900000" else super().read_labels(frame_id)


@pytest.fixture
def folder(tmp_path):
    folder = write_run(tmp_path / "run", n_rounds=2, pool=True)
    embedding = np.ones((1, 3), "f4")
    known = FrameSet(np.array(["900000"]), {"embedding": embedding}, [labelled_frame()[0]])
    write_frames(folder / "round_00/pool/labelled", known)
    return folder


def test_thresholds_come_from_the_labelled_frames(folder):
    text = Page(update_report(folder, Frames()).read_text()).text
    record = read_run(folder).rounds[0]
    confidence = read_confidence(record)
    assert confidence.scores == pytest.approx({"Car": FIRST, "Pedestrian": 0.3, "Cyclist": np.inf})
    assert confidence.calibrated == ["Car", "Cyclist"]
    kept = []
    for i in range(20):
        found = fake_frame(f"0{i:05d}", 3, i)[1]
        least = np.array([FIRST, 0.3, np.inf])[found.labels]
        expected = [CLASSES[k] for k in found.labels[found.scores >= least]]
        assert [row[0] for row in read_view(record, f"0{i:05d}")["predicted"]] == expected
        kept += expected
    assert set(kept) == {"Car", "Pedestrian"}
    assert "with a probability of at least 30 %" in text
    assert f"(Car: score of at least {FIRST:.2f}; Pedestrian: score of at least 0.30, not calibrated" in text
    assert "; Cyclist: none)" in text


def test_the_probability_is_that_of_pre_labels(folder):
    config = folder / "config.yaml"
    config.write_text(config.read_text() + "oracle: {min_confidence: 0.55}\n")
    assert "with a probability of at least 55 %" in Page(update_report(folder, Frames()).read_text()).text
    assert read_confidence(read_run(folder).rounds[0]).scores["Pedestrian"] == 0.55


def test_without_detections_in_labelled_frames_the_caption_says_so(drawn_run):
    text = Page((drawn_run / "report.html").read_text()).text
    assert "with a score of at least 0.3 (not calibrated" in text
    assert read_confidence(read_run(drawn_run).rounds[0]).calibrated == []
