import numpy as np
import pytest

from kecor.errors import ConfigError, DataError
from kecor.evaluation import build_metric
from kecor.evaluation.boxes import BoxesMetric
from kecor.evaluation.boxes.bands import BANDS
from kecor.evaluation.boxes.matching import match
from kecor.evaluation.boxes.precision import average_precision
from kecor.structures import Detections
from tests.evaluation.boxes.reference import measure
from tests.evaluation.boxes.worlds import CLASSES, Labelled, random_boxes, random_scene

NOTHING = Detections(np.zeros((0, 7)), np.zeros(0), np.zeros(0, np.int64))


def scenes(seed, n):
    rng = np.random.default_rng(seed)
    drawn = {f"{k:03d}": random_scene(rng) for k in range(n)}
    return Labelled({k: labels for k, (labels, _) in drawn.items()}), {k: found for k, (_, found) in drawn.items()}


def perfect(dataset):
    return {
        key: Detections(boxes, np.ones(len(boxes)), np.array([CLASSES.index(n) for n in names], np.int64))
        for key, (boxes, names) in dataset.labels.items()
    }


@pytest.mark.parametrize("seed", range(8))
def test_random_scenes_agree_with_shapely_and_plain_lists(seed):
    dataset, detections = scenes(seed, 12)
    result = BoxesMetric().evaluate(dataset, detections)
    for label, name in enumerate(CLASSES):
        frames = []
        for key, (boxes, names) in dataset.labels.items():
            own = detections[key].labels == label
            found, scores = detections[key].boxes[own], detections[key].scores[own]
            frames.append((boxes[names == name].astype(float).tolist(), found.tolist(), scores.tolist()))
        for kind, needed in (("strict", (0.7, 0.5)[label]), ("loose", (0.5, 0.25)[label])):
            assert result[kind][name]["overlap"] == needed
            for view in ("3d", "bev"):
                for band, limits in BANDS.items():
                    ap, recall = measure(view, frames, needed, limits)
                    assert result[kind][name][view][band] == pytest.approx(ap, abs=1e-9), (kind, name, view, band)
                    if view == "3d":
                        assert result[kind][name]["recall"][band] == pytest.approx(recall, abs=1e-9)


@pytest.mark.parametrize("n_objects", [1, 3, 39, 40, 41, 200])
def test_perfect_detections_reach_100_however_few_the_objects(n_objects):
    boxes = random_boxes(np.random.default_rng(n_objects), n_objects, "Car").astype(np.float32)
    boxes[:, :2] = np.stack([np.arange(n_objects) * 6.0, np.zeros(n_objects)], axis=1)
    dataset = Labelled({"a": (boxes, np.full(n_objects, "Car"))})
    result = BoxesMetric().evaluate(dataset, perfect(dataset))
    for kind in ("strict", "loose"):
        assert result[kind]["Car"]["3d"]["all"] == pytest.approx(100)
        assert result[kind]["Car"]["bev"]["all"] == pytest.approx(100)
        assert result[kind]["Car"]["recall"]["all"] == 100
        assert result[kind]["Walker"]["3d"]["all"] is None


def test_the_order_of_detections_and_frames_does_not_matter():
    dataset, detections = scenes(3, 10)
    rng = np.random.default_rng(0)
    shuffled = {}
    for key in rng.permutation(list(detections)).tolist():
        order = rng.permutation(len(detections[key]))
        found = detections[key]
        shuffled[key] = Detections(found.boxes[order], found.scores[order], found.labels[order])
    assert BoxesMetric().evaluate(dataset, shuffled) == BoxesMetric().evaluate(dataset, detections)


def test_known_curve():
    # right, wrong, right of two objects: precision 1 up to recall 1/2, then 2/3
    ap = average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 2)
    assert ap == pytest.approx(100 * (20 * 1 + 20 * 2 / 3) / 40)
    # equal scores count together: one threshold with precision 2/3 for all recalls
    ap = average_precision(np.array([0.8, 0.8, 0.8]), np.array([True, False, True]), 2)
    assert ap == pytest.approx(100 * 2 / 3)
    # half of the objects are never found
    assert average_precision(np.array([0.9]), np.array([True]), 2) == pytest.approx(50)
    assert average_precision(np.zeros(0), np.zeros(0, bool), 2) == 0
    assert average_precision(np.zeros(0), np.zeros(0, bool), 0) is None


def test_a_second_detection_of_an_object_is_wrong_unless_another_is_near():
    overlaps = np.array([[0.9, 0.8], [0.0, 0.0]])
    assert match(overlaps, np.array([0.5, 0.6]), 0.5).tolist() == [-1, 0]
    overlaps = np.array([[0.9, 0.8], [0.0, 0.6]])
    assert match(overlaps, np.array([0.7, 0.6]), 0.5).tolist() == [0, 1]
    assert match(np.zeros((0, 2)), np.ones(2), 0.5).tolist() == [-1, -1]
    assert match(np.zeros((2, 0)), np.ones(0), 0.5).tolist() == []


def test_objects_beyond_a_band_excuse_their_detections():
    near, far = [10.0, 0, 0, 4, 2, 1.5, 0], [29.9, 0, 0, 4, 2, 1.5, 0]
    beyond = [30.1, 0, 0, 4, 2, 1.5, 0]
    dataset = Labelled({"a": (np.array([near, beyond], np.float32), np.array(["Car", "Car"]))})
    found = Detections(np.array([near, far]), np.array([0.5, 0.9]), np.zeros(2, np.int64))
    result = BoxesMetric().evaluate(dataset, {"a": found})
    assert result["loose"]["Car"]["bev"]["0-30"] == pytest.approx(100)
    assert result["loose"]["Car"]["bev"]["30-50"] == pytest.approx(100)
    assert result["objects"]["Car"] == {"all": 2, "0-30": 1, "30-50": 1, "50+": 0}


def test_frames_without_labels_are_counted_and_left_out():
    labels, found = scenes(5, 4)
    alone = BoxesMetric().evaluate(labels, found)
    dataset = Labelled(labels.labels, pool=("p0", "p1"))
    result = BoxesMetric().evaluate(dataset, {**found, "p0": found["000"], "p1": NOTHING})
    assert result["frames_without_labels"] == 2
    assert result["strict"] == alone["strict"]
    empty = BoxesMetric().evaluate(Labelled({}), {})
    assert empty["frames"] == 0
    assert empty["strict"]["Car"]["3d"]["all"] is None


def test_headline_tables_and_result_files(tmp_path):
    dataset, detections = scenes(1, 6)
    metric = build_metric({"type": "boxes", "overlaps": {"Car": 0.6}})
    result = metric.evaluate(dataset, {**detections, "none": NOTHING})
    metric.write_results(dataset, {**detections, "none": NOTHING}, tmp_path)
    headline = metric.headline(result, CLASSES)
    assert list(headline)[:4] == ["Car_3d", "Car_bev", "Car_3d_loose", "Car_bev_loose"]
    assert metric.main == "bev_loose"
    assert headline["Walker_bev_loose"] == result["loose"]["Walker"]["bev"]["all"]
    assert result["strict"]["Car"]["overlap"] == 0.6
    assert [len(row) for table in metric.tables(result) for row in table.rows] == [7] * 12
    assert (tmp_path / "none.txt").read_text() == ""
    rows = [line.split() for line in (tmp_path / "000.txt").read_text().splitlines()]
    np.testing.assert_allclose([[float(v) for v in row[:7]] for row in rows], detections["000"].boxes, atol=6e-5)
    assert [row[7] for row in rows] == [CLASSES[k] for k in detections["000"].labels]
    np.testing.assert_allclose([float(row[8]) for row in rows], detections["000"].scores, atol=1e-6)


def test_low_scores_can_be_left_out():
    dataset, _ = scenes(2, 4)
    found = {key: Detections(d.boxes, d.scores * 0.3, d.labels) for key, d in perfect(dataset).items()}
    assert BoxesMetric(min_score=0.4).evaluate(dataset, found)["strict"]["Car"]["recall"]["all"] == 0


@pytest.mark.parametrize(
    "found",
    [
        Detections(np.zeros((1, 4)), np.ones(1), np.zeros(1, np.int64)),
        Detections(np.full((1, 7), np.nan), np.ones(1), np.zeros(1, np.int64)),
        Detections(np.ones((1, 7)), np.full(1, np.inf), np.zeros(1, np.int64)),
        Detections(np.ones((1, 7)), np.ones(1), np.full(1, 2)),
        Detections(np.ones((1, 7)), np.ones(1), np.full(1, -1)),
    ],
)
def test_faulty_detections_name_their_frame(found):
    with pytest.raises(DataError, match="frame a"):
        BoxesMetric().evaluate(Labelled({}), {"a": found})


@pytest.mark.parametrize("value", [0, -1, 1.5, "high", float("nan")])
def test_impossible_overlaps_are_refused(value):
    with pytest.raises(ConfigError, match=r"evaluation\.loose_overlaps\.Car"):
        BoxesMetric(loose_overlaps={"Car": value})
