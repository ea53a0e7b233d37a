from pathlib import Path

import numpy as np
import pytest

from kecor.errors import DataError
from kecor.evaluation import build_metric
from kecor.evaluation.waymo import evaluate, summary
from kecor.evaluation.waymo.objects import Objects
from kecor.structures import Detections
from tests.evaluation.waymo.scenes import box, random_scene

NAMES = np.array(["Vehicle", "Pedestrian", "Sign", "Cyclist"])


class Frames:
    """A data set of arrays; with ``facts`` it offers ``label_facts``."""

    root = Path("invented")

    def __init__(self, gt, classes, facts=True):
        self.gt, self.classes = gt, classes
        if facts:
            self.label_facts = self.facts

    def rows(self, frame_id):
        return self.gt.frame_id == int(frame_id)

    def read_labels(self, frame_id):
        rows = self.rows(frame_id)
        return self.gt.boxes[rows], NAMES[self.gt.type[rows] - 1]

    def facts(self, frame_id):
        rows = self.rows(frame_id)
        return {"n_points": self.gt.num_points[rows], "difficulty": self.gt.difficulty[rows]}

    def sequence(self, frame_id):
        return "drive"

    def timestamp(self, frame_id):
        return 1.6e9 + int(frame_id) / 10


@pytest.fixture
def scene():
    gt, found = random_scene(np.random.default_rng(2))
    found.overlap_nlz[:] = False
    return gt, found


def by_frame(found, n_classes=4):
    result = {}
    for frame in np.unique(found.frame_id).tolist():
        rows = (found.frame_id == frame) & (found.type <= n_classes)
        result[str(frame)] = Detections(found.boxes[rows], found.score[rows], found.type[rows] - 1)
    return result


def test_equals_the_metric_of_the_arrays(scene, tmp_path):
    metric, dataset = build_metric({"type": "waymo"}), Frames(scene[0], NAMES.tolist())
    result = metric.evaluate(dataset, by_frame(scene[1]))
    metric.write_results(dataset, by_frame(scene[1]), tmp_path)
    expected = summary(evaluate(*scene))
    assert {row: pytest.approx(values) for row, values in expected.items()} == result["breakdowns"]
    headline = metric.headline(result, ["Vehicle", "Cyclist"])
    assert headline["Cyclist_APH_L2"] == pytest.approx(100 * expected["OBJECT_TYPE_TYPE_CYCLIST_LEVEL_2"]["APH"])
    assert len(headline) == 8
    assert f"Vehicle_{metric.main}" in headline
    assert len(metric.tables(result)[0].rows) == 34
    written = Objects.FromString((tmp_path / "detections.bin").read_bytes()).objects
    assert len(written) == len(scene[1])
    frame = int(next(iter(by_frame(scene[1]))))
    assert (written[0].context_name, written[0].frame_timestamp_micros) == (
        b"drive",
        1_600_000_000_000_000 + frame * 100_000,
    )


def test_classes_left_out_are_no_ground_truth(scene):
    metric, dataset = build_metric({"type": "waymo"}), Frames(scene[0], ["Vehicle", "Pedestrian"])
    result = metric.evaluate(dataset, by_frame(scene[1], 2))
    full = summary(evaluate(*scene))
    assert result["breakdowns"]["OBJECT_TYPE_TYPE_VEHICLE_LEVEL_2"] == full["OBJECT_TYPE_TYPE_VEHICLE_LEVEL_2"]
    assert result["breakdowns"]["OBJECT_TYPE_TYPE_CYCLIST_LEVEL_2"]["AP"] == 0


def test_without_facts_every_box_counts_at_level_1(scene):
    result = build_metric({"type": "waymo"}).evaluate(Frames(scene[0], NAMES.tolist(), facts=False), by_frame(scene[1]))
    rows = result["breakdowns"]
    assert rows["ONE_SHARD_LEVEL_1"] == rows["ONE_SHARD_LEVEL_2"]
    assert rows["ONE_SHARD_LEVEL_1"]["AP"] > 0


def test_no_detection_and_no_frame(scene):
    metric, dataset = build_metric({"type": "waymo"}), Frames(scene[0], NAMES.tolist())
    nothing = Detections(np.zeros((0, 7)), np.zeros(0), np.zeros(0, int))
    for detections in ({str(scene[0].frame_id[0]): nothing}, {}):
        assert metric.evaluate(dataset, detections)["breakdowns"]["ONE_SHARD_LEVEL_2"] == {"AP": 0, "APH": 0}


def test_errors_name_the_frame_or_the_class(scene):
    metric, dataset = build_metric({"type": "waymo"}), Frames(scene[0], NAMES.tolist())
    frame = str(scene[0].frame_id[0])
    one = {"boxes": np.array([box()]), "scores": np.array([0.5]), "labels": np.array([0])}
    for change, message in [
        ({"scores": np.array([7.0])}, "score 7.0 is not in 0 to 1"),
        ({"labels": np.array([4])}, "labels must be 1 numbers from 0 to 3"),
        ({"boxes": np.array([box(x=np.inf)])}, "is not finite"),
    ]:
        with pytest.raises(DataError, match=f"frame {frame}: .*{message}"):
            metric.evaluate(dataset, {frame: Detections(**(one | change))})
    with pytest.raises(DataError, match="class 'Car' is not one of Waymo's"):
        metric.evaluate(Frames(scene[0], ["Car"]), {})
    scene[0].num_points[:] = 0
    with pytest.raises(DataError, match="no labelled box holds a point"):
        metric.evaluate(dataset, {frame: Detections(**one)})


@pytest.mark.parametrize("name", ["vehicle", "TYPE_VEHICLE", "Vehicle"])
def test_names_of_classes(scene, name):
    assert list(build_metric({"type": "waymo"}).headline({"breakdowns": summary(evaluate(*scene))}, [name])) == [
        f"{name}_AP_L1", f"{name}_APH_L1", f"{name}_AP_L2", f"{name}_APH_L2",
    ]  # fmt: skip
