import warnings

import numpy as np
import pytest

from kecor import ops
from kecor.datasets.kitti.calibration import Calibration
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.datasets.kitti.labels import KittiObjects
from kecor.errors import DataError
from kecor.evaluation import build_metric, result_text
from kecor.evaluation.kitti.conversion import detections_to_objects, image_boxes
from kecor.evaluation.kitti.evaluate import CLASSES, evaluate
from kecor.evaluation.kitti.files import read_folders
from kecor.evaluation.kitti.metric import KittiMetric
from kecor.structures import Detections, wrap_angle
from tests.shared import shared_data

SIZE = (1242, 375)


@pytest.fixture(scope="module")
def calib():
    """A camera at the LiDAR's place that looks along +x."""
    p2 = np.array([[700.0, 0, 620, 0], [0, 700, 180, 0], [0, 0, 1, 0]])
    return Calibration(p2, np.eye(3), np.array([[0, -1.0, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]]))


@pytest.fixture(scope="module")
def dataset():
    return KittiDataset(shared_data("kitti_mini"), "trainval", CLASSES)


def perfect(dataset, moved=(0.0, 0.0, 0.0)):
    """The ground truth as detections of score 1."""
    found = {}
    for frame_id in dataset.ids:
        objects = dataset.objects(frame_id)
        objects = objects.take(np.isin(objects.names, dataset.classes))
        boxes = dataset.calibration(frame_id).boxes_to_lidar(objects)
        boxes[:, :3] += moved
        labels = np.array([dataset.classes.index(name) for name in objects.names], np.int64)
        found[frame_id] = Detections(boxes, np.ones(len(boxes), np.float32), labels)
    return found


def box(x, y, z=-1.0, dx=4.0, dy=2.0, dz=1.5, heading=0.0):
    return np.array([[x, y, z, dx, dy, dz, heading]])


def detection(*boxes):
    return Detections(np.vstack(boxes), np.linspace(0.9, 0.5, len(boxes)), np.zeros(len(boxes), int))


def test_ground_truth_as_detections_scores_100_and_moved_ones_less(dataset, tmp_path):
    metric = build_metric({"type": "kitti"})
    result = metric.evaluate(dataset, perfect(dataset))
    metric.write_results(dataset, perfect(dataset), tmp_path)
    gt, det = read_folders(dataset.folder / "label_2", tmp_path)
    assert len(det) == len(dataset.ids)
    for overlaps in ("strict", "loose"):
        for metric_name in ("bev", "3d"):
            levels = result[overlaps]["Car"][metric_name]["R40"]
            assert min(levels) > 95, (overlaps, metric_name, levels)
    assert min(result["strict"]["Car"]["aos"]["R40"]) > 80
    moved = metric.evaluate(dataset, perfect(dataset, moved=(0.5, 0, 0)))
    far = metric.evaluate(dataset, perfect(dataset, moved=(0, 6, 0)))
    strict, loose = (moved[overlaps]["Car"]["3d"]["R40"][1] for overlaps in ("strict", "loose"))
    assert strict < loose
    assert strict < result["strict"]["Car"]["3d"]["R40"][1]
    assert far["loose"]["Car"]["3d"]["R40"][1] < 5
    # the written files tell the same
    from_files = evaluate(gt, det)
    for name in CLASSES:
        np.testing.assert_allclose(
            np.array(from_files[name]["3d"]["R40"], float),
            np.array(result["strict"][name]["3d"]["R40"], float),
            atol=0.1,
        )


def test_real_boxes_survive_the_way_there_and_back(dataset):
    for frame_id, found in perfect(dataset).items():
        if len(found) == 0:
            continue
        calib = dataset.calibration(frame_id)
        rows = detections_to_objects(found, dataset.classes, calib, dataset.image_size(frame_id))
        back = calib.boxes_to_lidar(rows)
        iou = ops.iou_3d(found.boxes, back)
        assert (iou.max(0) > 0.999).all()
        assert len(rows) >= 0.9 * len(found)  # what lies at the image's edge may vanish


def test_projected_boxes_agree_with_the_labelled_ones(dataset):
    overlap = []
    for frame_id in dataset.ids:
        objects = dataset.objects(frame_id)
        objects = objects.take((objects.names == "Car") & (objects.occluded == 0) & (objects.truncated == 0))
        calib = dataset.calibration(frame_id)
        got = image_boxes(calib.boxes_to_lidar(objects), calib, dataset.image_size(frame_id))
        low, high = np.maximum(got[:, :2], objects.bbox[:, :2]), np.minimum(got[:, 2:], objects.bbox[:, 2:])
        shared = np.clip(high - low, 0, None).prod(1)
        areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (got, objects.bbox)]
        overlap += list(shared / (sum(areas) - shared))
    assert len(overlap) > 10
    assert np.median(overlap) > 0.85


def test_observation_angle_agrees_with_the_labelled_one(dataset):
    for frame_id in dataset.ids:
        objects = dataset.objects(frame_id)
        objects = objects.take(objects.names == "Car")
        found = Detections(
            dataset.calibration(frame_id).boxes_to_lidar(objects), np.ones(len(objects)), np.zeros(len(objects), int)
        )
        rows = detections_to_objects(found, ["Car"], dataset.calibration(frame_id), dataset.image_size(frame_id))
        for row in range(len(rows)):
            nearest = np.argmin(np.linalg.norm(objects.location - rows.location[row], axis=1))
            assert abs(wrap_angle(rows.alpha[row] - objects.alpha[nearest])) < 0.1


def test_a_box_by_hand(calib):
    rows = detections_to_objects(detection(box(20, 0)), ["Car"], calib, SIZE)
    assert rows.names.tolist() == ["Car"]
    np.testing.assert_allclose(rows.dimensions, [[1.5, 2, 4]])
    np.testing.assert_allclose(rows.location, [[0, 1.75, 20]], atol=1e-12)
    assert rows.rotation_y[0] == pytest.approx(-np.pi / 2)
    assert rows.alpha[0] == pytest.approx(-np.pi / 2)
    # the near face, at 18 m, spans the box: 1 m to either side, 0.25 to 1.75 m below the camera (top at 22 m)
    expected = [620 - 700 / 18, 180 + 700 * 0.25 / 22, 620 + 700 / 18, 180 + 700 * 1.75 / 18]
    np.testing.assert_allclose(rows.bbox, [expected])
    assert (rows.truncated[0], rows.occluded[0], rows.scores[0]) == (-1, -1, pytest.approx(0.9))


def test_observation_angle_is_seen_from_the_camera(calib):
    rows = detections_to_objects(detection(box(20, 10, heading=0.3)), ["Car"], calib, SIZE)
    assert rows.alpha[0] == pytest.approx(wrap_angle(-0.3 - np.pi / 2 - np.arctan2(-10, 20)))


def test_boxes_out_of_sight_are_dropped(calib):
    boxes = [box(-20, 0), box(20, 0), box(5, 60), box(20, 0, z=40)]
    rows = detections_to_objects(detection(*boxes), ["Car"], calib, SIZE)
    np.testing.assert_allclose(rows.location[:, 2], [20])


def test_a_box_across_the_image_border_is_clipped(calib):
    left = image_boxes(box(20, 18), calib, SIZE)[0]
    assert left[0] == 0
    assert 0 < left[2] < 100
    right = image_boxes(box(20, -18), calib, SIZE)[0]
    assert right[2] == SIZE[0] - 1


def test_a_box_that_reaches_behind_the_camera_is_cut_not_mirrored(calib):
    beside = image_boxes(box(1, 3, dx=6), calib, SIZE)[0]  # from 2 m behind to 4 m before, 2 to 4 m to the left
    assert beside[0] == 0
    assert beside[2] == pytest.approx(620 - 700 * 2 / 4)
    assert beside[3] == SIZE[1] - 1


def test_low_scores_are_left_out_and_every_frame_gets_a_file(tmp_path):
    dataset = KittiDataset(shared_data("kitti_mini"), "val", CLASSES)
    ids = dataset.ids[:3]
    nothing = Detections(np.zeros((0, 7), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    detections = dict.fromkeys(ids, nothing) | {ids[0]: detection(box(20, 0), box(30, 0), box(40, 0))}
    build_metric({"type": "kitti", "min_score": 0.6}).write_results(dataset, detections, tmp_path / "new")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(f"{i}.txt" for i in ids)
    lines = (tmp_path / "new" / f"{ids[0]}.txt").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["0.900000", "0.700000"]
    assert (tmp_path / "new" / f"{ids[1]}.txt").read_text() == ""


def test_no_result_is_written_outside_the_folder(calib, tmp_path):
    class Anywhere:
        classes = ("Car",)

        def is_labelled(self, frame_id):
            return True

        def objects(self, frame_id):
            return KittiObjects.from_rows([], np.zeros((0, 15)))

        def calibration(self, frame_id):
            return calib

        def image_size(self, frame_id):
            return SIZE

    metric, found = build_metric({"type": "kitti"}), detection(box(20, 0))
    metric.write_results(Anywhere(), {"seq/000001": found}, tmp_path / "results")
    assert (tmp_path / "results" / "seq" / "000001.txt").is_file()
    for frame_id in ("../x", "seq/../../x", str(tmp_path / "x")):
        with pytest.raises(DataError, match="lies outside"):
            metric.write_results(Anywhere(), {frame_id: found}, tmp_path / "results")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize(
    ("boxes", "score", "message"),
    [
        (np.full((1, 7), np.nan), 1, "detection 0 is not finite"),
        (box(20, 0), np.nan, "detection 0 is not finite"),
        (np.zeros((1, 4)), 1, r"expected boxes of shape \(1, 7\)"),
    ],
)
def test_bad_detections_name_the_frame(dataset, boxes, score, message):
    detections = {dataset.ids[0]: Detections(boxes, np.array([score]), np.zeros(1, int))}
    with pytest.raises(DataError, match=f"frame {dataset.ids[0]}: {message}"):
        build_metric({"type": "kitti"}).evaluate(dataset, detections)


def test_an_empty_run_is_zero_where_there_are_objects(dataset):
    nothing = Detections(np.zeros((0, 7), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    result = build_metric({"type": "kitti"}).evaluate(dataset, dict.fromkeys(dataset.ids, nothing))
    assert result["strict"]["Car"]["3d"] == {"R11": [0, 0, 0], "R40": [0, 0, 0]}


def test_headline_and_tables_read_the_same_result():
    ap = {key: {"R40": [90.0, 80.0, None], "R11": [91.0, 81.0, None]} for key in ("3d", "bev", "bbox", "aos")}
    low = {key: {"R40": [9.0, 8.0, 7.0], "R11": [9.5, 8.5, 7.5]} for key in ("3d", "bev", "bbox", "aos")}
    result = {"strict": {"Car": low, "Cyclist": low}, "loose": {"Car": ap, "Cyclist": ap}}
    headline = KittiMetric().headline(result, ["Car"])
    assert headline == {"Car_3d": 8.0, "Car_bev": 8.0, "Car_3d_loose": 80.0, "Car_bev_loose": 80.0}
    strict, loose = KittiMetric().tables(result)
    assert strict.rows[0] == ["Car", "3D", 9.0, 8.0, 7.0, 9.5, 8.5, 7.5]
    assert [row[:2] for row in loose.rows[4:]] == [["Cyclist", name] for name in ("3D", "BEV", "2D", "AOS")]
    text = result_text({"type": "kitti"}, result).splitlines()
    assert text[0] == "AP at strict overlaps, percent"
    assert text[3].split() == ["Car", "3D", "9.00", "8.00", "7.00", "9.50", "8.50", "7.50"]


class WithoutBoxes(KittiDataset):
    """Labels whose 2D boxes are zeros, and which nobody took an image of."""

    def objects(self, frame_id):
        objects = super().objects(frame_id)
        objects.bbox[:] = 0
        return objects


def test_labels_without_2d_boxes_are_measured_in_space_aloud(tmp_path):
    whole = KittiDataset(shared_data("kitti_mini"), "trainval", CLASSES)
    flat = WithoutBoxes(shared_data("kitti_mini"), "trainval", CLASSES)
    found = perfect(flat)
    behind = {frame_id: len(d) for frame_id, d in found.items()}
    for frame_id, d in list(found.items())[:4]:  # a detection that no image shows is measured too
        found[frame_id] = Detections(
            np.vstack([d.boxes, box(-20, 0)]), np.append(d.scores, 2), np.append(d.labels, 0).astype(int)
        )
    with pytest.warns(UserWarning, match="no label has a 2D box"):
        result = build_metric({"type": "kitti"}).evaluate(flat, found)
    build_metric({"type": "kitti"}).write_results(flat, found, tmp_path)
    counts = result["counts"]["Car"]
    assert counts["detections"] == [sum((d.labels == 0).sum() for d in found.values())] * 3
    assert len((tmp_path / f"{flat.ids[0]}.txt").read_text().splitlines()) == behind[flat.ids[0]] + 1
    easy, moderate, hard = counts["labels"]
    for n, level in ((easy, 0), (moderate, 1), (hard, 2)):
        ap = result["strict"]["Car"]["3d"]["R40"][level]
        assert ap == pytest.approx(100 * n / (n + 4), abs=6)  # four wrong ones stand above all
    assert result["strict"]["Car"]["bbox"] == {"R11": [None] * 3, "R40": [None] * 3}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = build_metric({"type": "kitti"}).evaluate(whole, perfect(whole))
    assert hard >= seen["counts"]["Car"]["labels"][2] > 20
