import itertools
import json

import numpy as np
import pytest

from kecor.datasets.kitti.labels import KittiObjects
from kecor.evaluation.kitti.evaluate import CLASSES, evaluate, min_overlap
from kecor.evaluation.kitti.files import read_folders
from kecor.evaluation.kitti.pairs import pair_frames
from kecor.evaluation.kitti.roles import count, remarks
from tests.evaluation.kitti import reference
from tests.evaluation.kitti.scenes import objects, random_frame
from tests.shared import shared_data

OFFICIAL = {"detection": "bbox", "detection_ground": "bev", "detection_3d": "3d", "orientation": "aos"}
NOTHING = KittiObjects.from_rows([], np.zeros((0, 15)))
METRICS = ("bbox", "bev", "3d", "aos")


def car_r40(gt, det, metric="3d", level=0, **options):
    return evaluate(gt, det, ("Car",), **options)["Car"][metric]["R40"][level]


def test_equals_the_official_evaluator_in_every_entry():
    root = shared_data("kitti_eval")
    result = evaluate(*read_folders(root / "gt", root / "det"))
    expected = json.loads((root / "expected_ap.json").read_text())
    assert len(expected) == 12
    for key, values in expected.items():
        name, metric = key.split("_", 1)
        got = result[name.capitalize()][OFFICIAL[metric]]
        np.testing.assert_allclose(got["R11"], values["R11_printed"], atol=1e-3, err_msg=key)
        np.testing.assert_allclose(got["R11"], values["R11_from_curve"], atol=1e-3, err_msg=key)
        np.testing.assert_allclose(got["R40"], values["R40_from_curve"], atol=1e-3, err_msg=key)


@pytest.mark.parametrize("overlaps", ["strict", "loose"])
def test_equals_a_second_writing_of_the_rules_on_random_scenes(overlaps):
    rng = np.random.default_rng(8)
    frames = [random_frame(rng) for _ in range(80)]
    result = evaluate(*zip(*frames), overlaps=overlaps)
    values = []
    for name, level, metric in itertools.product(CLASSES, range(3), ("bbox", "bev", "3d")):
        precision, similarity = reference.curves(frames, name, level, metric, min_overlap(name, metric, overlaps))
        got = result[name][metric]
        assert got["R11"][level] == pytest.approx(100 * precision[::4].mean()), (name, level, metric)
        assert got["R40"][level] == pytest.approx(100 * precision[1:].mean()), (name, level, metric)
        if metric == "bbox":
            assert result[name]["aos"]["R40"][level] == pytest.approx(100 * similarity[1:].mean())
        values.append(got["R40"][level])
    assert len(set(values)) > 15  # the scenes tell the cases apart


def test_one_object_found_is_the_first_recall_position_alone():
    """With one object the official sampling yields a single score: precision 1 at recall 0 and nothing beyond."""
    result = evaluate([objects({})], [objects({"score": 0.5})], ("Car",))["Car"]
    for metric in METRICS:
        assert result[metric]["R11"] == pytest.approx([100 / 11] * 3)
        assert result[metric]["R40"] == [0, 0, 0]


def frames(n, *extra, **changes):
    """n frames with one car each, found with scores 1/n, 2/n ... 1; ``extra`` detections in the first frame."""
    gt = [objects({}) for _ in range(n)]
    det = [objects({"score": (i + 1) / n} | changes, *(extra if i == 0 else ())) for i in range(n)]
    return gt, det


def test_all_of_many_objects_found_is_100():
    result = evaluate(*frames(80), ("Car",))["Car"]
    for metric, recall in itertools.product(METRICS, ("R11", "R40")):
        assert result[metric][recall] == pytest.approx([100] * 3)


def test_half_of_the_objects_found():
    gt, det = frames(80)
    det[:40] = [NOTHING] * 40
    # 40 scores: the positions 0 to 1/2 are reached, 20 of 40 beyond 0
    assert car_r40(gt, det) == pytest.approx(50)


FALSE = {"score": 2.0, "bbox": (600, 100, 700, 180), "location": (10, 1.7, 30)}


def test_a_false_positive_above_all_others():
    n = 80
    gt, det = frames(n, FALSE)
    # at recall k/40 there are 2k right (1 at 0) and one wrong; the best precision beyond is the last, n/(n + 1)
    assert car_r40(gt, det) == pytest.approx(100 * n / (n + 1))


def test_a_false_positive_below_all_others_costs_nothing():
    assert car_r40(*frames(80, FALSE | {"score": 0.0})) == pytest.approx(100)


def test_the_best_precision_beyond_counts():
    """Wrong at score 0.505: 40 of 80 are found above it with precision 1, then it costs down to 80/81."""
    precision = [1.0] * 20 + [80 / 81] * 20
    assert car_r40(*frames(80, FALSE | {"score": 0.505})) == pytest.approx(100 * np.mean(precision), abs=0.02)


def test_dont_care_regions_excuse_on_the_image_alone():
    gt, det = frames(80, FALSE)
    gt[0] = objects({}, {"name": "DontCare", "bbox": (590, 90, 710, 190)})
    assert car_r40(gt, det, "bbox") == pytest.approx(100)
    assert car_r40(gt, det, "bev") == car_r40(gt, det, "3d") == pytest.approx(100 * 80 / 81)
    gt[0] = objects({}, {"name": "DontCare", "bbox": (590, 90, 660, 190)})  # covers 60 %: 70 % are needed
    assert car_r40(gt, det, "bbox") == pytest.approx(100 * 80 / 81)


def test_neighbouring_classes_are_neither_right_nor_wrong():
    gt, det = frames(80, FALSE)
    for name, expected in (("Van", 100), ("Tram", 100 * 80 / 81), ("Pedestrian", 100 * 80 / 81)):
        gt[0] = objects({}, FALSE | {"name": name, "dimensions": (1.5, 1.6, 3.9)})
        assert car_r40(gt, det) == pytest.approx(expected), name


@pytest.mark.parametrize(
    ("field", "values"), [("truncated", (0.15, 0.3, 0.5)), ("occluded", (0, 1, 2)), ("bbox", (41, 26, 26))]
)
def test_objects_count_from_their_level_on(field, values):
    for own, value in enumerate(values):
        change = {field: (100, 100, 200, 100 + value) if field == "bbox" else value}
        gt, det = [objects(change)] * 80, [NOTHING] * 80
        counted = [car_r40(gt, det, level=level) is not None for level in range(3)]
        assert counted == [level >= min(own, values.index(value)) for level in range(3)]


@pytest.mark.parametrize(("level", "height"), [(0, 40), (1, 25), (2, 25)])
def test_an_object_of_just_the_height_of_a_level_does_not_count_and_a_detection_does(level, height):
    """The convention of docs/numbers.md, as the official evaluator compares: <= for labels, < for detections."""
    for extra, counts in ((0, False), (0.01, True)):
        gt = [objects({"bbox": (100, 100, 200, 100 + height + extra)})] * 80
        assert (car_r40(gt, [NOTHING] * 80, level=level) is not None) == counts
    for extra, counts in ((0, True), (-0.01, False)):
        low = FALSE | {"bbox": (600, 100, 700, 100 + height + extra)}
        assert (car_r40(*frames(80, low), level=level) < 99.9) == counts


NO_BOX = {"bbox": (0, 0, 0, 0)}


def test_without_2d_boxes_occlusion_and_truncation_decide():
    gt, det = frames(80, FALSE | NO_BOX, **NO_BOX)
    for change, levels in (({}, 3), ({"occluded": 1}, 2), ({"truncated": 0.4}, 1), ({"occluded": 3}, 0)):
        gt = [objects(NO_BOX | change)] * 80
        result = evaluate(gt, det, ("Car",))["Car"]
        for metric in ("bev", "3d"):
            expected = [None] * (3 - levels) + [pytest.approx(100 * 80 / 81)] * levels
            assert result[metric]["R40"] == expected
        for metric in ("bbox", "aos"):
            assert result[metric] == {"R11": [None] * 3, "R40": [None] * 3}
        pairs = pair_frames(gt, det)
        labels = [0] * (3 - levels) + [80] * levels
        assert count(pairs, ["Car"]) == {"Car": {"labels": labels, "detections": [81] * 3}}
    assert len(remarks(pairs)) == 1


@pytest.mark.parametrize("no_box", [(0, 0, 0, 0), (-1, -1, -1, -1), (50, 60, 50, 60)])
def test_without_2d_boxes_on_one_side_space_is_measured_all_the_same(no_box):
    gt, det = frames(80, FALSE)
    for frame in gt:
        frame.bbox[:] = no_box
    gt[0] = objects({"bbox": no_box}, {"name": "DontCare"})  # a region is no object
    low = objects({"score": 0.5, "bbox": (0, 0, 30, 20)})
    det[5] = low
    result = evaluate(gt, det, ("Car",))["Car"]
    assert result["bev"]["R40"] == result["3d"]["R40"] == [pytest.approx(100 * 80 / 81)] * 3
    assert result["bbox"]["R40"] == [None] * 3
    (remark,) = remarks(pair_frames(gt, det))
    assert remark.startswith("no label has a 2D box")
    gt, det = frames(80, FALSE | {"bbox": no_box}, bbox=no_box)
    gt[:40] = [objects({"occluded": 1})] * 40
    result = evaluate(gt, det, ("Car",))["Car"]
    assert result["3d"]["R40"][1:] == [pytest.approx(100 * 80 / 81)] * 2
    assert result["aos"]["R40"] == [None] * 3
    (remark,) = remarks(pair_frames(gt, det))
    assert remark.startswith("no detection has a 2D box")


def test_single_labels_without_a_2d_box_count_nowhere_and_are_told_of():
    gt, det = frames(80)
    gt[3] = objects({}, NO_BOX | {"location": (9, 1.7, 30)})
    assert count(pair_frames(gt, det), ["Car"])["Car"]["labels"] == [80] * 3
    (remark,) = remarks(pair_frames(gt, det))
    assert remark.startswith("1 labels have no 2D box")
    assert remarks(pair_frames(*frames(80))) == []


def test_counts_are_those_of_the_definition_on_random_scenes():
    rng = np.random.default_rng(5)
    pairs = [random_frame(rng) for _ in range(40)]
    counts = count(pair_frames(*zip(*pairs)), CLASSES)
    for name, level in itertools.product(CLASSES, range(3)):
        roles = [reference.roles(gt, det, name, level) for gt, det in pairs]
        assert counts[name]["labels"][level] == sum(r[0].count("counts") for r in roles)
        assert counts[name]["detections"][level] == sum(r[1].count("counts") for r in roles)
    assert counts["Car"]["labels"][0] < counts["Car"]["labels"][2]


def test_a_low_detection_of_a_hard_object_is_ignored_in_the_easy_level():
    low = {"score": 2.0, "bbox": (600, 100, 700, 139), "location": (10, 1.7, 30)}
    assert car_r40(*frames(80, low), level=0) == pytest.approx(100)
    assert car_r40(*frames(80, low), level=1) == pytest.approx(100 * 80 / 81)


def test_an_object_is_found_once():
    gt, det = frames(80)
    det[-1] = objects({"score": 1.0}, {"score": 0.99})
    assert car_r40(gt, det) == pytest.approx(100 * (1 + 39 * 80 / 81) / 40, abs=0.1)
    assert car_r40(gt, det) < 99


def test_orientation():
    assert car_r40(*frames(80, alpha=np.pi), "aos") == pytest.approx(0, abs=1e-9)
    assert car_r40(*frames(80, alpha=np.pi / 2), "aos") == pytest.approx(50)
    assert car_r40(*frames(80, alpha=2 * np.pi), "aos") == pytest.approx(100)


def test_orientation_is_not_measured_when_a_detection_has_none():
    result = evaluate(*frames(80, FALSE | {"alpha": -10}), ("Car",))["Car"]
    assert result["aos"] == {"R11": [None] * 3, "R40": [None] * 3}
    assert result["bbox"]["R40"][0] is not None


def test_opposite_headings_overlap():
    assert car_r40(*frames(80, rotation_y=np.pi)) == pytest.approx(100)
    assert car_r40(*frames(80, rotation_y=-np.pi)) == pytest.approx(100)


def test_height_counts_in_3d_alone():
    gt, det = frames(80, location=(0, 1.7 - 0.5, 20))  # IoU in space 1/2
    assert car_r40(gt, det, "bev") == pytest.approx(100)
    assert car_r40(gt, det, "3d") == 0
    assert car_r40(gt, frames(80, location=(0, 1.7 - 0.45, 20))[1], "3d", overlaps="loose") == pytest.approx(100)


def test_loose_overlaps_leave_the_image_alone():
    gt, det = frames(80, bbox=(100, 100, 160, 180))  # IoU on the image 0.6
    for overlaps in ("strict", "loose"):
        assert car_r40(gt, det, "bbox", overlaps=overlaps) == 0
    assert min_overlap("Pedestrian", "3d", "loose") == min_overlap("Cyclist", "bev", "loose") == 0.25
    with pytest.raises(ValueError, match="'tight' is neither"):
        evaluate(gt, det, overlaps="tight")


def test_a_class_without_objects_is_none_and_one_without_detections_zero():
    result = evaluate([objects({}), NOTHING], [NOTHING, objects({"name": "Cyclist", "score": 1})])
    for metric, recall in itertools.product(METRICS, ("R11", "R40")):
        assert result["Car"][metric][recall] == [0, 0, 0]
        assert result["Cyclist"][metric][recall] == [None] * 3
        assert result["Pedestrian"][metric][recall] == [None] * 3


def test_no_frames():
    assert evaluate([], [])["Car"]["3d"]["R40"] == [None] * 3
    with pytest.raises(ValueError, match="1 frames and 0 frames"):
        evaluate([NOTHING], [])


def test_letter_case_of_classes_does_not_matter():
    gt, det = frames(80)
    for o in gt:
        o.names = np.char.upper(o.names)
    assert car_r40(gt, det) == pytest.approx(100)


def test_a_detection_without_size_finds_nothing():
    gt, det = frames(80, dimensions=(-1, -1, -1), location=(-1000, -1000, -1000))
    assert car_r40(gt, det, "bbox") == pytest.approx(100)
    assert car_r40(gt, det, "bev") == car_r40(gt, det, "3d") == 0
