"""What is said of frames before they are trained on: numbers counted by hand, and faults that were put in."""

import contextlib
import re
from dataclasses import replace

import numpy as np
import pytest

from kecor.config import DataConfig, VoxelConfig
from kecor.datasets.account import account, labelled_in
from kecor.datasets.account.boxes_held import share_without_points
from kecor.datasets.account.sample import evenly
from kecor.errors import ConfigError, DataError
from kecor.structures import Frame
from tests.datasets.custom.worlds import sites


class Frames:
    """A data set of frames in memory, without any of the further methods."""

    def __init__(self, frames):
        self.frames = {frame.frame_id: frame for frame in frames}
        self.ids = list(self.frames)
        self.was_read = []

    def read(self, frame_id):
        self.was_read.append(frame_id)
        return self.frames[frame_id]

    def read_labels(self, frame_id):
        return self.frames[frame_id].boxes, self.frames[frame_id].names

    def is_labelled(self, frame_id):
        return True


def settings(**keys):
    voxels = VoxelConfig([0.5, 0.5, 0.5], max_train=20_000)
    space = [-40.0, -40, -3, 40, 40, 1]
    return DataConfig(**{"type": "custom", "root": "", "classes": ["Car", "Walker"], "point_cloud_range": space} | keys,
                      **({} if "voxels" in keys else {"voxels": voxels}))  # fmt: skip


def said(frames, data=None, **keys):
    lines = []
    dataset = Frames(frames)
    account(data or settings(), dataset, dataset.ids, log=lines.append, **keys)
    return lines[:2], [line.removeprefix("warning: ") for line in lines[2:]]


def test_a_good_set_is_described_without_a_warning():
    (first, second), warnings = said(sites(4))
    assert first == "4 labelled frames, 36 boxes: Car 24, Walker 12"
    assert second.startswith("6000 points a frame (median); 0.0% of the boxes hold no point, 0.0% lie outside")
    assert second.endswith("0.0% of the voxels are lost to data.voxels.max_train")
    assert warnings == []


def test_shares_are_those_counted_by_hand():
    frames = sites(4)
    frames[0] = replace(frames[0], points=frames[0].points[:1])
    frames[1].boxes[:3, 0] += 200
    cells = [
        len(np.unique(np.floor(f.points[:, :3] / 0.5).astype(int), axis=0)) for f in frames
    ]  # 0.5 divides the range
    limit = 1500
    data = settings(voxels=VoxelConfig([0.5, 0.5, 0.5], max_train=limit))
    (_, second), _ = said(frames, data)
    empty, outside, lost = (float(share) for share in re.findall(r"([\d.]+)%", second))
    assert empty == pytest.approx(100 * 12 / 36, abs=0.06)
    assert outside == pytest.approx(100 * 3 / 36, abs=0.06)
    inside = sum(cells) - sum(max(0, n - limit) for n in cells)
    assert lost == pytest.approx(100 * (1 - inside / sum(cells)), abs=2)
    assert lost > 5


def test_at_most_a_hundred_frames_are_read():
    frame = sites(1)[0]
    dataset = Frames([replace(frame, frame_id=f"{i:04d}") for i in range(730)])
    lines = []
    account(settings(), dataset, dataset.ids, log=lines.append)
    assert lines[0] == "730 labelled frames; in 100 of them, 900 boxes: Car 600, Walker 300"
    assert len(dataset.was_read) == 100
    steps = np.diff([int(frame_id) for frame_id in dataset.was_read])
    assert (dataset.was_read[0], dataset.was_read[-1], steps.min(), steps.max()) == ("0000", "0729", 7, 8)
    assert evenly(["a", "b"], 5) == ["a", "b"]


def test_a_class_without_an_object_is_an_error_that_names_the_nearest_label():
    with pytest.raises(
        ConfigError, match="4 labelled frames hold no object of class 'car'; the nearest class is 'Car'"
    ):
        said(sites(4), settings(classes=["car", "Walker"]))
    data = settings(classes=["Car", "Walker", "Tram"])
    with pytest.raises(ConfigError, match=r"class 'Tram'; correct the name, or leave the class out"):
        said(sites(4), data)
    assert "class 'Tram'" in said(sites(4), data, strict=False)[1][0]
    with pytest.raises(ConfigError, match="class 'Tram', 'Bus'; correct"):
        said(sites(4), settings(classes=["Tram", "Bus"]), strict=False)
    with pytest.raises(ConfigError, match="'Walkers'; the nearest class is 'Walker'"):
        said(sites(4), settings(classes=["Car", "Walkers"]), strict=False)


def test_a_class_is_looked_for_in_all_labels_before_it_is_called_absent():
    rare = replace(sites(1)[0], frame_id="999")
    rare.names = np.array(["Tram", *rare.names[1:]])
    data = settings(classes=["Car", "Walker", "Tram"])
    assert said(sites(4), data, others=labelled_in(Frames([rare])))[1] == []


def test_no_voxel_is_an_error_that_says_where_the_points_lie():
    frames = sites(2)
    low = min(frame.points[:, 0].min() for frame in frames)
    with pytest.raises(DataError, match=rf"none of 2 frames, such as 000, .*points lie from {low:.4g} "):
        said(frames, settings(point_cloud_range=[100, 100, -3, 180, 180, 1]))
    empty = [Frame("000", np.zeros((0, 4), np.float32), frames[0].boxes, frames[0].names)]
    with pytest.raises(DataError, match="there is no point"):
        said(empty)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p[:, [1, 0, 2, 3]] * [-1, 1, 1, 1], "x y z of the points are read as y -x z"),  # x right, y ahead
        (lambda p: p[:, [1, 2, 0, 3]] * [-1, -1, 1, 1], "x y z of the points are read as z -x -y"),  # of a camera
        (lambda p: p * [1, 1, 1, 255], "intensity reaches 25[0-9.]+, beyond 1"),
        (lambda p: p + np.array([500_000, 5_000_000, 0, 0]), "in the frame of a map"),
        (lambda p: p * [1000, 1000, 1000, 1], "in millimetres"),
        (lambda p: p * [100, 100, 100, 1], "in centimetres"),
        (lambda p: p * [0.001, 0.001, 0.001, 1], "are they kilometres"),
    ],
)
def test_a_cloud_in_another_form_is_named(change, words):
    frames = [replace(frame, points=change(frame.points.astype(np.float64)).astype(np.float32)) for frame in sites(6)]
    wide = settings(point_cloud_range=[-1e4, -1e4, -1e4, 1e4, 1e4, 1e4], voxels=VoxelConfig([1e3, 1e3, 1e3]))
    lines = []
    dataset = Frames(frames)
    with contextlib.suppress(DataError):  # no point is near the map's origin
        account(wide, dataset, dataset.ids, log=lines.append)
    found = [line for line in lines if re.search(words, line)]
    assert len(found) == 1
    assert found[0].startswith("warning: ")


def test_boxes_elsewhere_are_not_explained_by_axes():
    frames = sites(6)
    for frame in frames:
        frame.boxes[:, :2] = np.random.default_rng(3).uniform(-300, -200, (len(frame.boxes), 2))
    _, warnings = said(frames)
    assert warnings == ["100% of 54 boxes in 6 frames hold no point; are they in the frame of the LiDAR?"]


def test_headings_and_sizes_in_another_form_are_named():
    frames = sites(6)
    for frame in frames:
        frame.boxes = frame.boxes[:, [0, 1, 2, 4, 3, 5, 6]]
        frame.boxes[:, 6] = np.rad2deg(frame.boxes[:, 6])
    _, warnings = said(frames)
    assert any("Car: boxes hold" in line and "headings are degrees and width comes" in line for line in warnings)
    beyond = sum(int((np.abs(frame.boxes[:, 6]) > 2 * np.pi).sum()) for frame in frames)
    assert f"{beyond} of 54 headings exceed two pi: are they degrees?" in warnings


def test_share_without_points():
    frames = sites(2)
    assert share_without_points(frames) == (0, 18)
    frames[0] = replace(frames[0], points=frames[0].points[:0])
    assert share_without_points(frames) == (0.5, 18)
    assert share_without_points([]) == (0, 0)
