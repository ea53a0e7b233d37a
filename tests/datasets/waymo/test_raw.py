"""Raw frames: geometry against a plain computation, both formats against each other and the official clouds."""

import struct
import zlib

import numpy as np
import pytest

from kecor.datasets.waymo import read_v1, read_v2
from kecor.datasets.waymo.protos import MESSAGES
from kecor.datasets.waymo.range_images import frame_points, uniform_inclinations
from kecor.datasets.waymo.raw import segment_name
from kecor.errors import DataError
from kecor.tfrecord import write_records
from tests.datasets.waymo.segment import CONTEXT, frames, rotation, write_v1, write_v2
from tests.shared import shared_data

OFFICIAL = "1000000000000000001_000_000_020_000"


def plain_points(frame):
    """The cloud of a frame, pixel by pixel."""
    rows = []
    for laser in sorted(frame.lasers, key=lambda laser: laser.name):
        for image in laser.returns:
            height, width, _ = image.shape
            for i in range(height):
                for j in range(width):
                    if image[i, j, 0] > 0:
                        rows.append([*_point(laser, image, i, j, frame.pose), *image[i, j, 1:]])
    return np.array(rows)


def _point(laser, image, i, j, pose):
    width = image.shape[1]
    inclination = laser.inclinations[i]
    azimuth = (2 * (width - j - 0.5) / width - 1) * np.pi - np.arctan2(laser.extrinsic[1, 0], laser.extrinsic[0, 0])
    ray = [np.cos(inclination) * np.cos(azimuth), np.cos(inclination) * np.sin(azimuth), np.sin(inclination)]
    point = laser.extrinsic @ [*(float(image[i, j, 0]) * np.array(ray)), 1]
    if laser.pixel_pose is None:
        return point[:3]
    roll, pitch, yaw, *place = laser.pixel_pose[i, j].astype(float)
    world = rotation(roll, pitch, yaw) @ point[:3] + place
    return (np.linalg.inv(pose) @ [*world, 1])[:3]


def same(found, expected):
    assert (found.segment, found.timestamp) == (expected.segment, expected.timestamp)
    assert np.array_equal(found.pose, expected.pose)
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(frame_points(found)[0], frame_points(expected)[0])


def test_points_equal_a_plain_computation():
    frame = next(frames())
    points, counts = frame_points(frame)
    expected = plain_points(frame)
    assert len(points) == counts.sum() == len(expected) > 400
    np.testing.assert_allclose(points, expected, atol=2e-5)
    assert (counts > 0).tolist() == [[True, True], [False, False], [True, False], [False, False], [True, False]]


def test_a_pose_of_tens_of_kilometres_costs_no_precision():
    far = np.array([-25211.0, 42391.0, -161.0])
    frame = next(frames())
    top = frame.lasers[1]
    near = frame_points(frame)[0]
    top.pixel_pose[..., 3:] = np.round(top.pixel_pose[..., 3:] - frame.pose[:3, 3]) + far
    frame.pose[:3, 3] = far
    assert np.abs(frame_points(frame)[0][:, :3] - plain_points(frame)[:, :3]).max() < 1e-3
    assert len(near) == len(frame_points(frame)[0])


def test_uniform_inclinations_are_the_middles_of_the_rows():
    np.testing.assert_allclose(uniform_inclinations(-1.0, 1.0, 4), [0.75, 0.25, -0.25, -0.75])


def test_v1_gives_what_was_written(tmp_path):
    path = write_v1(tmp_path)
    for (number, found), expected in zip(read_v1(path), frames(), strict=True):
        same(found, expected)
        np.testing.assert_array_equal(found.zones, expected.zones)
        assert number == (expected.timestamp - 10**15) // 10**5


def test_v2_gives_the_same_frames(tmp_path):
    path = write_v2(tmp_path)
    found = dict(read_v2(path))
    assert sorted(found) == [0, 1, 2, 3]
    for number, expected in enumerate(frames()):
        same(found[number], expected)


@pytest.mark.parametrize("write", [write_v1, write_v2])
def test_an_interval_keeps_numbers(tmp_path, write):
    read = read_v1 if write is write_v1 else read_v2
    found = dict(read(write(tmp_path), 3))
    assert sorted(found) == [0, 3]
    same(found[3], list(frames())[3])


def test_v2_without_boxes_or_some_clouds_is_read(tmp_path):
    import pyarrow.parquet as pq

    path = write_v2(tmp_path)
    (path.parent.parent / "lidar_box" / path.name).unlink()
    table = pq.read_table(path)
    pq.write_table(table.slice(3), path)  # the rows of the first frame are gone
    found = dict(read_v2(path))
    assert [len(found[k].lasers) for k in range(4)] == [0, 3, 3, 3]
    assert all(len(frame.labels) == 0 for frame in found.values())


@pytest.mark.parametrize("component", ["lidar_pose", "lidar_calibration", "vehicle_pose"])
def test_v2_names_a_missing_component(tmp_path, component):
    path = write_v2(tmp_path)
    (path.parent.parent / component / path.name).unlink()
    with pytest.raises(DataError, match=rf"{component}.{CONTEXT}\.parquet: no such file; download the component"):
        list(read_v2(path))


@pytest.mark.parametrize("end", [0, 4, 2000, -30])
def test_v2_names_a_damaged_file(tmp_path, end):
    path = write_v2(tmp_path)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match=rf"{CONTEXT}\.parquet: cannot be read"):
        list(read_v2(path))


def test_v1_refuses_records_that_are_no_frames(tmp_path):
    path = tmp_path / "a.tfrecord"
    for data, message in ((b"\xff\xff\xff", "is no frame"), (b"", "no context name or no pose")):
        write_records(path, [data])
        with pytest.raises(DataError, match=rf"a\.tfrecord: record 0.*{message}"):
            list(read_v1(path))


def record(change):
    """The first frame of the made-up segment as a record, after ``change`` of its message."""
    from kecor.simulation.waymo.tfrecords import _message

    message = _message(next(frames()))
    change(message)
    return message.SerializeToString()


def claim(shape, data=b"\0" * 64):
    matrix = MESSAGES["MatrixFloat"](data=data)
    matrix.shape.dims.extend(shape)
    return zlib.compress(matrix.SerializeToString())


def set_image(blob):
    def change(message):
        message.lasers[1].ri_return1.range_image_compressed = blob

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_image(b"no zlib"), "laser TOP: a range image cannot be read"),
        (set_image(claim((2, 2, 4))[:-6]), "laser TOP: a range image is cut off"),
        (set_image(zlib.compress(bytes(1 << 27))), "more than 67108864 bytes"),
        (set_image(claim((1 << 30, 1 << 30, 4))), "of 64 bytes has shape"),
        (set_image(claim((-2, -2, 4))), "of 64 bytes has shape"),
        (set_image(claim((2, 2, 4), struct.pack("<16f", *[np.nan] * 16))), "not finite"),
        (set_image(claim((2, 2, 4))), "differ in size"),
        (lambda m: m.context.laser_calibrations[1].beam_inclinations.append(1.0), "9 beam inclinations for 8 rows"),
        (lambda m: m.context.laser_calibrations.pop(), "has no calibration"),
        (lambda m: m.lasers.add().CopyFrom(m.lasers[0]), "holds a laser twice"),
        (lambda m: m.pose.transform.pop(), "pose: expected 16 finite numbers"),
        (lambda m: m.pose.transform.__setitem__(0, 5.0), "pose: is no rotation and translation"),
        (lambda m: setattr(m.laser_labels[2].box, "width", 0.0), "label 'c' has type 3 and box"),
        (lambda m: setattr(m.laser_labels[2].box, "heading", np.nan), "label 'c' has type 3"),
        (lambda m: setattr(m.laser_labels[2], "type", 9), "label 'c' has type 9"),
        (lambda m: setattr(m.laser_labels[2], "type", 999), "is no frame"),
        (lambda m: m.no_label_zones[0].x.append(1.0), "a no-label zone has 4 x and 3 y"),
    ],
)
def test_v1_names_the_fault_of_a_frame(tmp_path, change, message):
    write_records(tmp_path / "a.tfrecord", [record(change)])
    with pytest.raises(DataError, match=rf"a\.tfrecord: record 0.*{message}"):
        list(read_v1(tmp_path / "a.tfrecord"))


@pytest.mark.parametrize(
    "name",
    ["{}", "segment-{}_with_camera_labels", "training_segment-{}_with_camera_labels.tfrecord", "segment-{}.tfrecord"],
)
def test_all_spellings_of_a_segment(name):
    assert segment_name(name.format(CONTEXT)) == CONTEXT


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_clouds_and_labels_equal_the_official_library(version):
    root = shared_data("waymo", "format")
    stem = f"segment-{OFFICIAL}_with_camera_labels"
    expected = np.load(root / f"{stem}.expected.npz")
    v2 = root / "v2" / "training" / "lidar" / f"{OFFICIAL}.parquet"
    found = dict(read_v1(root / f"{stem}.tfrecord") if version == "v1" else read_v2(v2))
    assert sorted(found) == [0, 1, 2]
    for number, frame in found.items():
        points, counts = frame_points(frame)
        official = {key.split("/")[1]: expected[key] for key in expected if key.startswith(f"frame{number}/")}
        np.testing.assert_allclose(points[:, :3], official["all"][:, :3], atol=1e-3, rtol=0)
        assert np.array_equal(points[:, 3:], official["all"][:, 3:])
        assert counts.sum(1).tolist() == official["num_points_of_each_lidar"].tolist()
        assert np.array_equal(frame.labels["box"], official["boxes"])
        assert frame.labels["id"].astype(str).tolist() == official["label_id"].tolist()
        assert frame.labels["type"].tolist() == official["label_type"].tolist()
        assert frame.labels["n_points"].tolist() == official["num_lidar_points_in_box"].tolist()
        assert frame.labels["n_top_points"].tolist() == official["num_top_lidar_points_in_box"].tolist()
        assert frame.labels["difficulty"].tolist() == official["detection_difficulty_level"].tolist()
        assert np.array_equal(frame.labels["speed"][:, :2], official["speed_global"])
        assert np.array_equal(frame.pose, official["pose"])
        assert (frame.segment, frame.timestamp) == (OFFICIAL, official["timestamp_micros"])


def test_a_real_frame_without_range_images_is_read():
    ((number, frame),) = read_v1(shared_data("waymo", "format", "real_labels_one_frame.tfrecord"))
    assert (number, frame.segment) == (0, "1024360143612057520_3580_000_3600_000")
    assert np.bincount(frame.labels["type"]).tolist() == [0, 37, 12, 25, 1]
    assert (frame.labels["difficulty"] == 2).sum() == 15
    assert (frame.labels["n_points"] == 0).sum() == 2
    assert frame_points(frame)[0].shape == (0, 6)
