import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kecor.errors import DataError
from kecor.evaluation.waymo import BREAKDOWNS, GroundTruth, Predictions, evaluate, read_arrays
from kecor.evaluation.waymo.inputs import as_arrays
from tests.evaluation.waymo import reference
from tests.evaluation.waymo.scenes import box, objects, predictions, random_scene
from tests.shared import shared_data

SETS = ("a_plain", "b_ties_nlz_zero_points", "fake_predictions", "edge_no_predictions", "edge_no_ground_truth")
VEHICLE = "OBJECT_TYPE_TYPE_VEHICLE_LEVEL_"


@pytest.mark.parametrize("name", SETS)
def test_equals_the_official_op_on_every_row_and_at_every_cutoff(name):
    rows = evaluate(*read_arrays(shared_data("waymo", "metrics", f"{name}.npz")))
    expected = json.loads(shared_data("waymo", "metrics", f"{name}.expected.json").read_text())["breakdowns"]
    assert list(rows) == list(expected)
    for row, values in expected.items():
        assert (rows[row].ap, rows[row].aph) == pytest.approx((values["AP"], values["APH"]), abs=1e-6), row
    curves = np.load(shared_data("waymo", "metrics", f"{name}.curves.npz"))
    for i, row in enumerate(curves["names"].tolist()):
        one = rows[row]
        got = np.stack([one.precision, one.recall, one.tp, one.fp, one.fn], 1)
        np.testing.assert_allclose(got, curves["precision_recall_tp_fp_fn"][i], atol=1e-6)
        np.testing.assert_allclose(
            np.stack([one.precision_ha, one.recall], 1), curves["ha_precision_recall"][i], atol=1e-6
        )


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_equals_plain_loops(seed):
    gt, found = random_scene(np.random.default_rng(seed))
    rows = evaluate(gt, found)
    assert sum(row.tp.max() for row in rows.values()) > 0
    for breakdown, names in BREAKDOWNS.items():
        for shard, name in enumerate(names):
            for level in (1, 2):
                tp, fp, fn, heading = reference.counts(gt, found, breakdown, shard, level).T
                row = rows[f"{name}_LEVEL_{level}"]
                np.testing.assert_array_equal(np.stack([row.tp, row.fp, row.fn]), np.stack([tp, fp, fn]))
                assert row.ap == pytest.approx(reference.area(tp, tp, fp, fn), abs=2e-6)
                assert row.aph == pytest.approx(reference.area(heading, tp, fp, fn), abs=2e-6)


def test_ground_truth_as_predictions_scores_one():
    gt, _ = random_scene(np.random.default_rng(0), n_gt=20, spread=300)
    gt = GroundTruth(gt.frame_id, gt.boxes, gt.type, gt.difficulty, np.full(len(gt), 9))
    same = Predictions(gt.frame_id, gt.boxes, gt.type, np.ones(len(gt)), np.zeros(len(gt), bool))
    for row in evaluate(gt, same, ("ONE_SHARD", "OBJECT_TYPE")).values():
        assert (row.ap, row.aph) == pytest.approx((1, 1))


@pytest.mark.parametrize(
    ("turn", "aph"), [(0, 1), (np.pi, 0), (np.pi / 2, 0.5), (4 * np.pi + 0.1, 1 - 0.1 / np.pi), (-np.pi, 0)]
)
def test_heading_weights_a_match(turn, aph):
    square = box(dx=4, dy=4)
    row = evaluate(objects([square]), predictions([[*square[:6], turn]], 0.8))[f"{VEHICLE}1"]
    assert (row.ap, row.aph) == pytest.approx((1, aph), abs=1e-6)


def test_the_score_decides_who_takes_part_and_the_overlap_who_is_matched():
    near, nearer = box(x=10.5, heading=np.pi), box(x=10.1)
    row = evaluate(objects([box()]), predictions([near, nearer], [0.9, 0.3]))[f"{VEHICLE}1"]
    assert row.tp.tolist() == [1] * 91 + [0] * 10
    assert row.fp.tolist() == [1] * 31 + [0] * 70
    assert row.precision_ha[0] == pytest.approx(0.5)  # below 0.3 the nearer box is matched
    assert row.precision_ha[90] == pytest.approx(0)


def test_the_sum_of_overlaps_counts_not_the_best_single_pair():
    gt = objects([box(x=10.0), box(x=10.8)])
    found = predictions([box(x=10.6), box(x=11.2)], 0.5)  # the first overlaps the second object more
    assert evaluate(gt, found)[f"{VEHICLE}1"].tp[0] == 2


def test_a_no_label_zone_excuses_only_what_is_unmatched():
    far = box(x=40)
    row = evaluate(objects([box()]), predictions([box(), far, far], 0.5, nlz=[True, True, False]))[f"{VEHICLE}1"]
    assert (row.tp[0], row.fp[0]) == (1, 1)


def test_levels_are_cumulative_and_points_decide_where_the_label_does_not():
    gt = objects([box(x=10.0 * i) for i in range(1, 6)], difficulty=[0, 0, 1, 2, 0], points=[5, 6, 1, 50, 0])
    rows = evaluate(gt, predictions(np.zeros((0, 7)), []))
    assert (rows[f"{VEHICLE}1"].fn[0], rows[f"{VEHICLE}2"].fn[0]) == (2, 4)
    found = evaluate(gt, predictions([box(x=10.0)], 0.5))  # of LEVEL_2, and a true positive at LEVEL_1 too
    assert (found[f"{VEHICLE}1"].tp[0], found[f"{VEHICLE}1"].fn[0]) == (1, 2)


def test_boxes_on_both_sides_of_a_range_do_not_match():
    gt, found = objects([box(x=30.1, z=0)]), predictions([box(x=29.9, z=0)], 0.5)
    rows = evaluate(gt, found)
    assert rows[f"{VEHICLE}1"].tp[0] == 1
    assert rows["RANGE_TYPE_VEHICLE_[0, 30)_LEVEL_1"].fp[0] == 1
    assert rows["RANGE_TYPE_VEHICLE_[30, 50)_LEVEL_1"].fn[0] == 1
    far = evaluate(objects([box(x=30, z=40)]), found)  # 50 m in space
    assert far["RANGE_TYPE_VEHICLE_[50, +inf)_LEVEL_1"].fn[0] == 1


def test_types_and_frames_never_meet():
    gt = objects([box()] * 3, types=[1, 2, 1], frames=[0, 0, 7])
    row = evaluate(gt, predictions([box()] * 2, 0.5, types=[3, 1], frames=[0, -5]))["ONE_SHARD_LEVEL_1"]
    assert (row.tp[0], row.fp[0], row.fn[0]) == (0, 2, 3)


def test_copies_of_a_prediction_are_false_positives():
    row = evaluate(objects([box()]), predictions([box()] * 5, [0.9, 0.9, 0.5, 0.2, 0.1]))[f"{VEHICLE}1"]
    assert (row.tp[0], row.fp[0]) == (1, 4)
    assert (row.tp[90], row.fp[90]) == (1, 1)
    assert row.ap == pytest.approx(0.5)


def test_scores_of_zero_and_one_and_between_cutoffs():
    gt = objects([box(x=10.0 * i) for i in range(1, 5)])
    found = predictions([box(x=10.0 * i) for i in range(1, 5)], [0.0, 1.0, 0.01, 0.0099])
    assert evaluate(gt, found)[f"{VEHICLE}1"].tp[[0, 1, 2, 100]].tolist() == [4, 2, 1, 1]


@pytest.mark.parametrize("size", [0.0, -1.0, 0.01, 1e6, 1e30])
def test_a_box_of_absurd_size_overlaps_nothing(size):
    odd = box(dz=size)
    row = evaluate(objects([odd]), predictions([odd], 0.5))[f"{VEHICLE}1"]
    assert (row.tp[0], row.fp[0], row.fn[0]) == (0, 1, 1)


def test_a_gap_in_recall_is_filled_with_the_precision_beyond_it():
    # recall 0.1 at precision 1, recall 1 at precision 0.5: of the 0.9 between them 0.85 is level, the last slants
    gt = objects([box(y=5.0 * i) for i in range(10)])
    found = predictions(
        [box(y=5.0 * i) for i in range(10)] + [box(x=-50, y=5.0 * i) for i in range(10)], [0.9] + [0.2] * 19
    )
    expected = 0.1 + 0.85 * 0.5 + 0.05 * 0.75
    assert evaluate(gt, found)[f"{VEHICLE}1"].ap == pytest.approx(expected, abs=1e-5)


def test_order_of_rows_changes_nothing():
    rng = np.random.default_rng(3)
    gt, found = random_scene(rng, n_frames=20)
    orders = [rng.permutation(len(x)) for x in (gt, found)]
    shuffled = [type(x)(*(values[order] for values in vars(x).values())) for x, order in zip((gt, found), orders)]
    one, other = evaluate(gt, found), evaluate(*shuffled)
    assert {k: (v.ap, v.aph) for k, v in one.items()} == {
        k: (pytest.approx(v.ap, abs=1e-6), pytest.approx(v.aph, abs=1e-6)) for k, v in other.items()
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": np.full((1, 7), np.nan)}, "row 0 (frame 3): boxes [nan"),
        ({"type": np.array([0])}, "type 0 is not in 1 to 4"),
        ({"type": np.array([5])}, "type 5 is not in 1 to 4"),
        ({"score": np.array([np.nan])}, "score nan is not in 0 to 1"),
        ({"score": np.array([1.5])}, "score 1.5 is not in 0 to 1"),
        ({"boxes": np.zeros((1, 9))}, "boxes: expected numbers of shape (1, 7), got float64 (1, 9)"),
        ({"frame_id": np.array([0.5])}, "frame_id: expected integers"),
        ({"score": np.zeros(2)}, "score: expected numbers of shape (1,)"),
        ({"overlap_nlz": None}, "overlap_nlz: expected bool"),
    ],
)
def test_faulty_predictions_are_refused(change, message):
    fields = vars(predictions([box()], 0.5, frames=3)) | change
    with pytest.raises(DataError, match="predictions") as error:
        Predictions(**fields)
    assert message in str(error.value)


def test_faulty_ground_truth_is_refused():
    with pytest.raises(DataError, match=r"ground truth, row 1 \(frame 0\): difficulty 3 is not in 0 to 2"):
        objects([box()] * 2, difficulty=[1, 3])


def test_files_of_arrays(tmp_path):
    path, (gt, found) = tmp_path / "arrays.npz", random_scene(np.random.default_rng(0))
    np.savez(path, **as_arrays(gt, found))
    back = read_arrays(path)
    np.testing.assert_array_equal(back[0].num_points, gt.num_points)
    np.testing.assert_array_equal(back[1].boxes, found.boxes.astype(np.float32))
    arrays = as_arrays(gt, found)
    del arrays["pred_overlap_nlz"]
    np.savez(path, **arrays)
    assert not read_arrays(path)[1].overlap_nlz.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gt_boxes": np.array([None])}, "no .npz file of plain arrays"),
        ({"gt_boxes": np.full((32, 7), 1e300)}, "is not finite"),
        ({"gt_type": np.array(["Vehicle"] * 32)}, "gt.npz: ground truth, type: expected integers"),
    ],
)
def test_faulty_files_of_arrays_are_refused(tmp_path, change, message):
    path = tmp_path / "gt.npz"
    np.savez(path, **(as_arrays(*random_scene(np.random.default_rng(0))) | change))
    with pytest.raises(DataError, match=message):
        read_arrays(path)


def test_files_that_are_none_are_refused(tmp_path):
    good = tmp_path / "good.npz"
    np.savez(good, **as_arrays(*random_scene(np.random.default_rng(0))))
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:900])
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    with (tmp_path / "one.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for name in ("cut.npz", "text.npz", "empty.npz", "one.npz", "other.npz", "absent.npz"):
        with pytest.raises(DataError, match=name):
            read_arrays(tmp_path / name)
