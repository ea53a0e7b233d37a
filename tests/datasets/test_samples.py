import pickle
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from kecor.config import DataConfig, VoxelConfig
from kecor.datasets.epoch_sampler import EpochSampler
from kecor.datasets.frame_cache import FrameCache
from kecor.datasets.gt_database import GTDatabase
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.datasets.samples import Samples, collate
from kecor.datasets.voxels import voxelize
from kecor.structures import Frame
from tests.datasets.small_set import write_set
from tests.datasets.test_augmentation import scene

CLASSES = ["Car", "Pedestrian"]
AUGMENTATION = [
    {"type": "gt_sampling", "counts": {"Car": 6, "Pedestrian": 6}},
    {"type": "flip"},
    {"type": "rotate", "max_angle": 0.7854},
    {"type": "scale"},
]
IDS = ["f0", "f1", "f2", "f3"]


def read_scene(frame_id):
    return scene(int(frame_id[1:]))


def config(augmentation=(), **voxels):
    return DataConfig(
        type="kitti",
        root="",
        classes=CLASSES,
        point_cloud_range=[0.0, -20.0, -3.0, 40.0, 20.0, 1.0],
        voxels=VoxelConfig([0.2, 0.2, 0.2], **voxels),
        augmentation=list(augmentation),
    )


class Spy:
    """Records which frames are read."""

    def __init__(self):
        self.asked = []

    def __call__(self, frame_id):
        self.asked.append(frame_id)
        return read_scene(frame_id)


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_a_sample_is_a_function_of_seed_epoch_and_frame():
    samples = Samples(read_scene, IDS, config(AUGMENTATION), training=True, seed=3)
    first = {(e, i): samples[(e, i)] for e in range(2) for i in range(4)}
    other = Samples(read_scene, IDS, config(AUGMENTATION), training=True, seed=3)
    for item in reversed(list(first)):
        assert_equal(first[item], other[item])
    # an index without an epoch is one of epoch 0
    assert_equal(first[(0, 2)], samples[2])
    database = Samples(read_scene, IDS, config(AUGMENTATION[:1]), training=True).transforms[0].database
    shuffled = Samples(read_scene, IDS[::-1], config(AUGMENTATION), True, 3, database)
    assert_equal(first[(1, 3)], shuffled[(1, 0)])
    assert not np.array_equal(first[(0, 0)]["points"], first[(1, 0)]["points"])
    reseeded = Samples(read_scene, IDS, config(AUGMENTATION), training=True, seed=4)
    assert not np.array_equal(first[(0, 0)]["points"], reseeded[(0, 0)]["points"])


def test_workers_give_the_same_batches(tmp_path):
    samples = Samples(read_scene, IDS, config(AUGMENTATION), training=True)
    assert_equal(pickle.loads(pickle.dumps(samples))[(2, 1)], samples[(2, 1)])
    batches = []
    for workers in (0, 2):
        sampler = EpochSampler(samples, seed=1)
        sampler.set_epoch(2)
        loader = DataLoader(samples, 2, sampler=sampler, num_workers=workers, collate_fn=collate)
        batches.append(list(loader))
    for a, b in zip(*batches):
        assert a["frame_ids"] == b["frame_ids"]
        assert torch.equal(a["points"], b["points"])
        assert torch.equal(a["voxel_coords"], b["voxel_coords"])


def test_training_reads_no_frame_but_its_own():
    spy = Spy()
    samples = Samples(spy, ["f1", "f3"], config(AUGMENTATION), training=True)
    for epoch in range(5):
        for index in range(2):
            samples[(epoch, index)]
    assert set(spy.asked) == {"f1", "f3"}
    objects = samples.transforms[0].database.objects
    own = np.concatenate([read_scene(i).boxes for i in ("f1", "f3")])
    for box, _ in objects["Car"] + objects["Pedestrian"]:
        assert (own == box).all(1).any()


def test_objects_outside_the_volume_are_not_pasted():
    augmentation = [{**AUGMENTATION[0], "min_points": 0}]
    samples = Samples(read_scene, IDS, config(augmentation), training=True)
    found = [box.tolist() for boxes in samples.transforms[0].database.objects.values() for box, _ in boxes]
    boxes = np.concatenate([read_scene(frame_id).boxes for frame_id in IDS])
    names = np.concatenate([read_scene(frame_id).names for frame_id in IDS])
    boxes = boxes[np.isin(names, CLASSES)]
    within = [-3 <= z < 1 and 0 <= x < 40 and -20 <= y < 20 for x, y, z in boxes[:, :3]]
    assert 0 < sum(within) < len(boxes)
    assert sorted(found) == sorted(boxes[within].tolist())


def test_training_opens_no_label_of_another_frame(tmp_path, monkeypatch):
    """At the level of files: every path opened while a labelled subset is trained on belongs to that subset."""
    from pathlib import Path

    dataset = KittiDataset(write_set(tmp_path / "set"), "train", CLASSES)
    opened = set()
    for method in ("read_text", "read_bytes", "open"):
        original = getattr(Path, method)

        def spied(path, *args, _original=original, **kwargs):
            opened.add(path.stem)
            return _original(path, *args, **kwargs)

        monkeypatch.setattr(Path, method, spied)
    samples = Samples(dataset.read, ["a1"], config(AUGMENTATION), training=True)
    samples[(0, 0)], samples[(1, 0)]
    assert opened == {"a1"}


def test_a_given_database_is_used_and_not_built_anew():
    spy = Spy()
    database = GTDatabase.from_frames([scene(s) for s in range(20, 40)], CLASSES)
    samples = Samples(spy, ["f0"], config(AUGMENTATION[:1]), True, gt_database=database)
    assert spy.asked == []
    boxes = samples[(0, 0)]["gt_boxes"]
    given = np.concatenate([box[None] for name in CLASSES for box, _ in database.objects[name]])
    pasted = [b for b in boxes if not (scene(0).boxes == b).all(1).any()]
    assert len(pasted) > 1
    assert all((given == b).all(1).any() for b in pasted)


def test_samples_leave_what_they_read_unchanged():
    frames = {i: read_scene(i) for i in IDS}
    samples = Samples(frames.__getitem__, IDS, config(AUGMENTATION), training=True)
    for index in range(4):
        samples[(0, index)]
        np.testing.assert_array_equal(frames[IDS[index]].points, read_scene(IDS[index]).points)
        np.testing.assert_array_equal(frames[IDS[index]].boxes, read_scene(IDS[index]).boxes)


def test_evaluation_neither_varies_nor_shuffles():
    samples = Samples(read_scene, IDS, config(AUGMENTATION, max_train=10, max_test=400), training=False)
    sample = samples[(4, 1)]
    frame = read_scene("f1")
    low, high = np.array(samples.data.point_cloud_range, np.float32).reshape(2, 3)[:, :2]
    kept = ((frame.points[:, :2] >= low) & (frame.points[:, :2] <= high)).all(1)
    np.testing.assert_array_equal(sample["points"], frame.points[kept])
    features, coords = voxelize(frame.points, samples.data.point_cloud_range, [0.2] * 3, 5, 400)
    np.testing.assert_array_equal(sample["voxel_features"], features)
    np.testing.assert_array_equal(sample["voxel_coords"], coords)


def test_points_are_cut_along_x_and_y_alone_and_voxels_by_their_grid():
    """By hand, in the range 0 to 40, -20 to 20, -3 to 1 m: upper faces count for the points, not for the voxels."""
    positions = {
        "inside": [5.0, 0.0, -1.0],
        "above": [6.0, 0.0, 30.0],
        "below": [7.0, 0.0, -9.0],
        "upper x": [40.0, 0.0, -1.0],
        "upper y": [8.0, 20.0, -1.0],
        "upper z": [9.0, 0.0, 1.0],
        "lower corner": [0.0, -20.0, -3.0],
        "too far": [40.01, 0.0, -1.0],
        "behind": [-0.01, 0.0, -1.0],
        "left": [5.0, 20.01, -1.0],
        "right": [5.0, -20.01, -1.0],
        "no height": [5.0, 0.0, np.nan],
        "endless": [5.0, 0.0, np.inf],
    }
    points = np.array([[*p, i] for i, p in enumerate(positions.values())], np.float32)
    frame = Frame("x", points, np.zeros((0, 7), np.float32), np.array([], str))
    names = np.array(list(positions))
    for training in (False, True):
        sample = Samples(lambda _: frame, ["x"], config(), training=training)[0]
        assert sorted(names[sample["points"][:, 3].astype(int)]) == sorted(names[:7])
        assert sorted(names[sample["voxel_features"][:, 3].astype(int)]) == ["inside", "lower corner"]


def test_a_range_counts_as_float32_as_the_points_do():
    """-39.68 and 39.68 are no float32 numbers: points on these faces count all the same."""
    data = config()
    data.point_cloud_range, data.voxels.size = [0.0, -39.68, -3.0, 69.12, 39.68, 1.0], [0.16, 0.16, 0.1]
    points = np.array([[5, -39.68, 0, 0], [5, 39.68, 0, 0], [69.12, 0, 0, 0]], np.float32)
    frame = Frame("x", points, np.zeros((0, 7), np.float32), np.array([], str))
    sample = Samples(lambda _: frame, ["x"], data, training=False)[0]
    np.testing.assert_array_equal(sample["points"], points)
    np.testing.assert_array_equal(sample["voxel_features"], points[:1])


def test_training_uses_its_own_voxel_limit_and_shuffles_points():
    plain = config(max_train=50, max_test=4000)
    training = Samples(read_scene, IDS, plain, training=True)[0]
    evaluation = Samples(read_scene, IDS, plain, training=False)[0]
    assert len(training["voxel_features"]) == 50 < len(evaluation["voxel_features"])
    assert not np.array_equal(training["points"], evaluation["points"])
    np.testing.assert_array_equal(np.sort(training["points"], axis=0), np.sort(evaluation["points"], axis=0))


def test_boxes_outside_the_range_and_other_classes_are_dropped():
    boxes = np.array([[x, 0, 0, 4, 2, 2, 0] for x in (0, 39.99, 40, -0.01, 5)], np.float32)
    names = np.array(["Car", "Pedestrian", "Car", "Car", "Van"])
    frame = Frame("x", scene().points, boxes, names)
    sample = Samples(lambda _: frame, ["x"], config(), training=True)[0]
    np.testing.assert_allclose(sample["gt_boxes"][:, 0], [0, 39.99])
    assert sample["gt_labels"].tolist() == [0, 1]
    assert sample["gt_labels"].dtype == np.int64


def test_unlabelled_samples_have_no_boxes(tmp_path):
    dataset = KittiDataset(write_set(tmp_path / "set"), "train", CLASSES)
    samples = Samples(partial(dataset.read, labels=False), dataset.ids, config(), training=False)
    sample = pickle.loads(pickle.dumps(samples))[0]
    assert sample["gt_boxes"].shape == (0, 7)
    assert sample["gt_labels"].shape == (0,)


def test_an_index_past_the_end_is_an_index_error():
    with pytest.raises(IndexError):
        Samples(read_scene, IDS, config(), training=False)[4]


def test_a_batch_has_the_batch_index_in_front():
    samples = Samples(read_scene, IDS, config(), training=False)
    empty = {**samples[0], "points": np.zeros((0, 4), np.float32)}
    empty |= {"voxel_features": np.zeros((0, 4), np.float32), "voxel_coords": np.zeros((0, 3), np.int32)}
    parts = [samples[0], empty, samples[1]]
    batch = collate(parts)
    assert batch["batch_size"] == 3
    assert batch["frame_ids"] == ["f0", "f0", "f1"]
    assert batch["points"].dtype == batch["voxel_features"].dtype == torch.float32
    assert batch["voxel_coords"].dtype == torch.int32
    for i, part in enumerate(parts):
        of_frame = batch["points"][:, 0] == i
        np.testing.assert_array_equal(batch["points"][of_frame, 1:], part["points"])
        voxels = batch["voxel_coords"][:, 0] == i
        np.testing.assert_array_equal(batch["voxel_coords"][voxels, 1:], part["voxel_coords"])
        np.testing.assert_array_equal(batch["voxel_features"][voxels], part["voxel_features"])
        np.testing.assert_array_equal(batch["gt_boxes"][i], part["gt_boxes"])
        np.testing.assert_array_equal(batch["gt_labels"][i], part["gt_labels"])
        assert batch["gt_boxes"][i].dtype == torch.float32


def test_the_cache_reads_once_and_stays_within_its_bytes():
    spy = Spy()
    size = read_scene("f0").points.nbytes
    cache = FrameCache(spy, max_bytes=2 * size)
    for frame_id in ("f0", "f1", "f0", "f2", "f0", "f1"):  # f1 is the one not used for longest when f2 comes
        np.testing.assert_array_equal(cache(frame_id).points, read_scene(frame_id).points)
        assert cache.bytes <= 2 * size
    assert spy.asked == ["f0", "f1", "f2", "f1"]
    with pytest.raises(ValueError, match="read-only"):
        cache("f0").points[0, 0] = 1
    assert len(FrameCache(read_scene, 0)("f0").points) > 0
    kept = pickle.loads(pickle.dumps(FrameCache(read_scene, 99)))
    assert (len(kept.frames), kept.bytes) == (0, 0)
