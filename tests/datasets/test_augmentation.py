import numpy as np
import pytest

from kecor.datasets.augmentation import Flip, Rotate, Scale, build_transforms
from kecor.datasets.gt_database import GTDatabase
from kecor.datasets.gt_sampling import GtSampling
from kecor.errors import ConfigError
from kecor.geometry.boxes import corners
from kecor.ops import count_points_in_boxes, iou_bev, points_in_boxes
from kecor.structures import Frame
from tests.datasets.small_set import CALIB


def scene(seed=0, n_boxes=6, names=("Car", "Pedestrian"), low=(5, -30), high=(60, 30)):
    """Boxes at random, each with points well inside, and ground points."""
    rng = np.random.default_rng(seed)
    boxes = np.column_stack(
        [
            rng.uniform(low, high, (n_boxes, 2)),
            rng.uniform(-1.2, -0.5, n_boxes),
            rng.uniform([3, 1.4, 1.4], [5, 2, 2], (n_boxes, 3)),
            rng.uniform(-np.pi, np.pi, n_boxes),
        ]
    ).astype(np.float32)
    clouds = [rng.uniform([0, -40, -2.2, 0], [70, 40, -2.1, 1], (500, 4))]
    for box in boxes:
        local = rng.uniform(-0.45, 0.45, (30, 3)) * box[3:6]
        c, s = np.cos(box[6]), np.sin(box[6])
        x, y = local[:, 0] * c - local[:, 1] * s, local[:, 0] * s + local[:, 1] * c
        clouds.append(np.column_stack([x + box[0], y + box[1], local[:, 2] + box[2], rng.uniform(size=30)]))
    labels = np.array([names[i % len(names)] for i in range(n_boxes)], "<U12")
    meta = {"image_size": (1242, 375), "truncated": np.zeros(n_boxes)}
    return Frame(f"f{seed}", np.concatenate(clouds).astype(np.float32), boxes, labels, None, meta)


def owners(frame):
    return points_in_boxes(frame.points, frame.boxes)


def freeze(frame):
    frame.points.flags.writeable = False
    frame.boxes.flags.writeable = False
    return frame


GEOMETRIC = [Flip(1.0), Rotate(0.7), Rotate(np.pi), Scale(0.8, 1.3)]


@pytest.mark.parametrize("transform", GEOMETRIC)
def test_points_stay_in_their_boxes(transform):
    for seed in range(5):
        frame = freeze(scene(seed))
        moved = transform(frame, np.random.default_rng(seed))
        np.testing.assert_array_equal(owners(moved), owners(frame))
        assert not np.allclose(moved.points[:, :3], frame.points[:, :3])
        np.testing.assert_array_equal(moved.points[:, 3], frame.points[:, 3])
        assert moved.points.dtype == moved.boxes.dtype == np.float32
        assert (np.abs(moved.boxes[:, 6]) <= np.float32(np.pi)).all()
        np.testing.assert_array_equal(moved.names, frame.names)


@pytest.mark.parametrize("transform", GEOMETRIC)
def test_headings_move_with_the_scene(transform):
    """A point put on each box's nose must lie on the moved box's nose: a heading turned by pi would fail here."""
    frame = scene(3)
    nose = frame.boxes[:, :3].astype(np.float64)
    nose[:, 0] += frame.boxes[:, 3] / 2 * np.cos(frame.boxes[:, 6])
    nose[:, 1] += frame.boxes[:, 3] / 2 * np.sin(frame.boxes[:, 6])
    frame.points = np.column_stack([nose, np.zeros(len(nose))]).astype(np.float32)
    moved = transform(frame, np.random.default_rng(1))
    front = corners(moved.boxes)[:, [0, 3, 4, 7]].mean(axis=1)
    np.testing.assert_allclose(moved.points[:, :3], front, atol=1e-4)


def test_flip_mirrors_y_with_its_probability():
    frame = scene()
    rng = np.random.default_rng(0)
    assert Flip(0.0)(frame, rng) is frame
    flipped = [Flip(0.5)(frame, rng) is not frame for _ in range(400)]
    assert 160 < sum(flipped) < 240
    np.testing.assert_array_equal(Flip(1.0)(frame, rng).points[:, 1], -frame.points[:, 1])


def test_rotate_and_scale_keep_their_bounds():
    frame, rng = scene(), np.random.default_rng(0)
    angles, factors = [], []
    for _ in range(300):
        turned = Rotate(0.3)(frame, rng)
        a, b = frame.points[0], turned.points[0]
        angles.append(np.arctan2(b[1], b[0]) - np.arctan2(a[1], a[0]))
        factors.append(Scale(0.9, 1.2)(frame, rng).boxes[0, 3] / frame.boxes[0, 3])
    assert -0.3 <= min(angles) < -0.28
    assert 0.28 < max(angles) <= 0.3 + 1e-6
    assert 0.9 - 1e-6 <= min(factors) < 0.91
    assert 1.19 < max(factors) <= 1.2 + 1e-6


def test_a_frame_without_boxes_passes():
    frame = Frame("empty", scene().points)
    for transform in GEOMETRIC:
        assert transform(frame, np.random.default_rng(0)).boxes.shape == (0, 7)


def sampling(counts, seeds=range(10, 30)):
    transform = GtSampling(counts)
    transform.use(GTDatabase.from_frames([scene(s) for s in seeds], ["Car", "Pedestrian"]))
    return transform


def test_pasted_objects_fill_up_the_counts_without_overlap():
    frame = freeze(scene())
    pasted = sampling({"Car": 12, "Pedestrian": 2})(frame, np.random.default_rng(0))
    assert (pasted.names == "Pedestrian").sum() == 3  # it had 3, above the count: none is added, none is taken away
    assert 8 <= (pasted.names == "Car").sum() <= 12
    np.testing.assert_array_equal(pasted.boxes[:6], frame.boxes)
    overlaps = iou_bev(pasted.boxes, pasted.boxes)
    new = np.arange(6, len(pasted.boxes))
    overlaps[np.arange(len(overlaps)), np.arange(len(overlaps))] = 0
    assert (overlaps[new] == 0).all()
    assert set(pasted.meta) == {"image_size"}


def test_pasted_boxes_hold_their_own_points_and_none_of_the_scene():
    frame = scene()
    database = GTDatabase.from_frames([scene(s) for s in range(10, 30)], ["Car"])
    transform = GtSampling({"Car": 15})
    transform.use(database)
    pasted = transform(frame, np.random.default_rng(1))
    for box in pasted.boxes[6:]:
        (own,) = [points for other, points in database.objects["Car"] if (other == box).all()]
        inside = pasted.points[points_in_boxes(pasted.points, box[None]) == 0]
        np.testing.assert_array_equal(np.unique(inside, axis=0), np.unique(own, axis=0))
    np.testing.assert_array_equal(
        count_points_in_boxes(pasted.points, frame.boxes), count_points_in_boxes(frame.points, frame.boxes)
    )


def test_scene_points_where_an_object_is_pasted_are_removed():
    box = np.array([[20, 0, 0, 4, 2, 2, 0.3]], np.float32)
    source = Frame("s", np.array([[20, 0, 0, 0.5]] * 6, np.float32), box, np.array(["Car"]))
    wall = np.column_stack([np.full(200, 20), np.linspace(-10, 10, 200), np.zeros(200), np.ones(200)])
    transform = GtSampling({"Car": 1})
    transform.use(GTDatabase.from_frames([source], ["Car"]))
    pasted = transform(Frame("t", wall.astype(np.float32)), np.random.default_rng(0))
    inside = pasted.points[points_in_boxes(pasted.points, box) == 0]
    assert (inside[:, 3] == 0.5).all()
    assert len(inside) == 6
    assert 150 < len(pasted.points) < 200


def test_objects_of_the_frame_itself_are_not_pasted_on_top():
    frame = scene()
    transform = GtSampling({"Car": 20, "Pedestrian": 20})
    transform.use(GTDatabase.from_frames([frame], ["Car", "Pedestrian"]))
    assert transform(frame, np.random.default_rng(0)) is frame


def test_objects_with_few_points_are_not_pasted():
    frame = scene(1)
    transform = GtSampling({"Car": 20}, min_points=31)
    transform.use(GTDatabase.from_frames([frame], ["Car"]))
    assert transform(scene(2), np.random.default_rng(0)).boxes.shape == (6, 7)


def test_settings_out_of_range_are_errors():
    for make in (lambda: Flip(1.5), lambda: Rotate(-1), lambda: Scale(1.1, 0.9), lambda: GtSampling({"Car": -1})):
        with pytest.raises(ConfigError):
            make()
    with pytest.raises(ConfigError, match="'Caar' is none of the classes Car"):
        GtSampling({"Caar": 3}).use(GTDatabase({"Car": []}))


def test_transforms_are_built_from_a_config_in_order():
    settings = [{"type": "gt_sampling", "counts": {"Car": 4}}, {"type": "flip"}, {"type": "rotate"}, {"type": "scale"}]
    database = GTDatabase.from_frames([scene()], ["Car"])
    built = build_transforms(settings, lambda: database)
    assert [type(t) for t in built] == [GtSampling, Flip, Rotate, Scale]
    assert len(built[0].database.objects["Car"]) == 3


def test_pasted_objects_keep_clear_of_other_classes():
    source, frame = scene(1, 3, ("Car",)), scene(2, 1, ("Car",))
    sampling = GtSampling({"Car": 4})
    sampling.use(GTDatabase.from_frames([source], ["Car"]))
    assert len(sampling(frame, np.random.default_rng(0)).boxes) == 4
    frame.meta["obstacles"] = source.boxes
    assert len(sampling(frame, np.random.default_rng(0)).boxes) == 1


def test_pasted_objects_stand_on_the_ground_plane():
    source, frame = scene(1, 3, ("Car",)), scene(2, 1, ("Car",))
    frame.calib = CALIB
    frame.meta["plane"] = np.array([0.0, -1.0, 0.02, 1.6]) / np.linalg.norm([0, 1, 0.02])
    sampling = GtSampling({"Car": 4})
    sampling.use(GTDatabase.from_frames([source], ["Car"]))
    pasted = sampling(frame, np.random.default_rng(0))
    feet = pasted.boxes[1:, :3].astype(np.float64)
    feet[:, 2] -= pasted.boxes[1:, 5] / 2
    heights = CALIB.lidar_to_rect(feet) @ frame.meta["plane"][:3] + frame.meta["plane"][3]
    np.testing.assert_allclose(heights, 0, atol=1e-4)
    assert count_points_in_boxes(pasted.points, pasted.boxes[1:]).min() >= 29
    np.testing.assert_array_equal(source.boxes, scene(1, 3, ("Car",)).boxes)
