"""The metric against the devkit's own numbers, and detections whose score is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kecor.datasets.nuscenes import NuscenesDataset
from kecor.datasets.nuscenes.categories import CLASSES
from kecor.errors import DataError
from kecor.evaluation.nuscenes import NuscenesMetric
from kecor.evaluation.nuscenes.results_file import read_results
from kecor.structures import Detections
from tests.datasets.nuscenes.world import VERSION, need_devkit, write_world
from tests.shared import shared_data

need_devkit()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return NuscenesDataset(write_world(tmp_path_factory.mktemp("world")), "mini_val", CLASSES, VERSION)


def perfect(dataset, classes=CLASSES):
    """The ground truth of ``classes``, as detections."""
    found = {}
    for frame_id in dataset.ids:
        frame = dataset.read(frame_id)
        keep = np.isin(frame.names, classes)
        labels = np.array([dataset.classes.index(name) for name in frame.names[keep]])
        velocities = np.nan_to_num(frame.meta["velocity"][keep])
        scores = np.linspace(0.9, 0.5, len(labels))
        found[frame_id] = Detections(frame.boxes[keep], scores, labels, velocities=velocities)
    return found


@pytest.mark.parametrize("split", ["mini_val", "mini_train"])
def test_numbers_of_the_devkit(split):
    root = shared_data("nuscenes", "synthetic_mini")
    expected = json.loads((root / f"expected_metrics_{split}.json").read_text())
    dataset = NuscenesDataset(root, split, CLASSES, VERSION)
    result = NuscenesMetric().measure(dataset, read_results(root / f"results_{split}.json", dataset.ids))
    for key in ("mean_ap", "nd_score"):
        assert result[key] == pytest.approx(expected[key], abs=1e-6)
    for name in CLASSES:
        assert result["label_aps"][name] == pytest.approx(expected["label_aps"][name], abs=1e-6)
        for error, value in expected["label_tp_errors"][name].items():
            found = result["label_tp_errors"][name][error]
            assert found is None if np.isnan(value) else found == pytest.approx(value, abs=1e-6)
    assert result["n_ground_truth"] == expected["n_gt_after_filter"]
    assert result["n_detections"] == expected["n_pred_after_filter"]
    json.dumps(result, allow_nan=False)


def test_perfect_detections_score_one(dataset):
    """The cap is 1 where each class has objects that hold points. Headings lose the roll and pitch of the sensor."""
    result = NuscenesMetric().evaluate(dataset, perfect(dataset))
    assert result["mean_ap"] == pytest.approx(1.0, abs=1e-9)
    assert result["nd_score"] == pytest.approx(1.0, abs=1e-3)


def test_a_class_without_ground_truth_lowers_the_cap():
    """mini_train has no motorcycle in range, and some boxes without points count as false positives."""
    dataset = NuscenesDataset(shared_data("nuscenes", "synthetic_mini"), "mini_train", CLASSES, VERSION, min_points=1)
    metric = NuscenesMetric()
    result = metric.evaluate(dataset, perfect(dataset))
    assert result["n_ground_truth"]["motorcycle"] == 0
    assert result["mean_ap"] <= 0.9
    headline = metric.headline(result, CLASSES)
    assert headline["motorcycle_ap"] is None
    assert headline["nds"] == pytest.approx(100 * result["nd_score"])
    assert result["mean_ap"] > 0.85


def test_shifted_boxes_fail_at_small_distances(dataset):
    found = perfect(dataset)
    for detections in found.values():
        detections.boxes[:, 0] += 1.5
    result = NuscenesMetric().evaluate(dataset, found)
    for by_distance in result["label_aps"].values():
        assert [by_distance[d] > 0.99 for d in ("0.5", "1.0", "2.0", "4.0")] == [False, False, True, True]
    assert result["tp_errors"]["trans_err"] == pytest.approx(1.5, abs=1e-3)


def test_velocities_and_attributes_follow_the_detections(dataset):
    still = {i: replace(found, velocities=None) for i, found in perfect(dataset).items()}
    result = NuscenesMetric().evaluate(dataset, still)
    errors = result["label_tp_errors"]
    assert errors["car"]["vel_err"] == pytest.approx(6.0, abs=1e-2)
    assert errors["car"]["attr_err"] == 1
    assert errors["bus"]["vel_err"] == pytest.approx(0.0, abs=1e-2)
    assert errors["bus"]["attr_err"] == 0


def test_some_frames_and_no_detections(dataset):
    empty = Detections(np.zeros((0, 7)), np.zeros(0), np.zeros(0, int))
    metric = NuscenesMetric()
    result = metric.evaluate(dataset, dict.fromkeys(dataset.ids[:2], empty))
    assert result["mean_ap"] == 0
    assert result["n_ground_truth"]["car"] == 2
    assert metric.headline(result, ["car"]) == {"car_ap": 0, "nds": 0}
    result = metric.evaluate(dataset, dict(list(perfect(dataset).items())[1:3]))
    assert result["mean_ap"] == pytest.approx(1.0)


def test_the_result_file_gives_the_same_numbers(dataset, tmp_path):
    metric = NuscenesMetric()
    result = metric.evaluate(dataset, perfect(dataset, ["car", "bus"]))
    metric.write_results(dataset, perfect(dataset, ["car", "bus"]), tmp_path)
    again = metric.measure(dataset, read_results(tmp_path / "results_nusc.json", dataset.ids))
    assert again == result
    assert result["mean_ap"] == pytest.approx(0.2)


def test_the_official_class_gives_the_same_numbers(dataset, tmp_path):
    from nuscenes import NuScenes
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.detection.evaluate import DetectionEval

    found = perfect(dataset, ["car", "pedestrian"])
    result = NuscenesMetric().evaluate(dataset, found)
    NuscenesMetric().write_results(dataset, found, tmp_path)
    nusc = NuScenes(VERSION, str(dataset.root), verbose=False)
    config = config_factory("detection_cvpr_2019")
    path = str(tmp_path / "results_nusc.json")
    metrics, _ = DetectionEval(nusc, config, path, "mini_val", str(tmp_path), verbose=False).evaluate()
    assert metrics.serialize()["nd_score"] == result["nd_score"]


def test_only_the_best_500_boxes_are_kept(dataset, tmp_path):
    found = perfect(dataset)
    first = dataset.ids[0]
    boxes = np.repeat(found[first].boxes[:1], 600, axis=0)
    found[first] = Detections(boxes, np.linspace(0, 1, 600), np.zeros(600, int))
    NuscenesMetric().write_results(dataset, found, tmp_path)
    written = json.loads((tmp_path / "results_nusc.json").read_text())["results"][first]
    assert len(written) == 500
    assert min(box["detection_score"] for box in written) > 0.16


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"scores": np.full(10, np.nan)}, "not finite"),
        ({"scores": np.zeros(3)}, "10 boxes have scores"),
        ({"labels": np.full(10, 10)}, "labels"),
        ({"boxes": np.full((10, 7), np.inf)}, "expected finite values"),
        ({"velocities": np.zeros((10, 3))}, "velocities"),
    ],
)
def test_faulty_detections(dataset, fault, message):
    found = perfect(dataset)
    found[dataset.ids[0]] = replace(found[dataset.ids[0]], **fault)
    with pytest.raises(DataError, match=f"sample {dataset.ids[0]}.*{message}"):
        NuscenesMetric().evaluate(dataset, found)


def test_tables_name_every_class(dataset):
    metric = NuscenesMetric()
    classes, means = metric.tables(metric.evaluate(dataset, perfect(dataset)))
    assert [row[0] for row in classes.rows] == list(CLASSES)
    assert means.rows[0][:2] == pytest.approx([100, 100], abs=0.1)
    assert all(len(row) == len(table.header) for table in (classes, means) for row in table.rows)
