import numpy as np
import pytest

from kecor.errors import DataError
from kecor.evaluation.waymo import evaluate, summary
from kecor.evaluation.waymo.inputs import Predictions
from kecor.evaluation.waymo.objects import Objects, read_files, write_predictions
from tests.evaluation.waymo.scenes import random_scene


def write_gt(path, gt, **changes):
    message = Objects()
    for frame, box, kind, difficulty, points in zip(*vars(gt).values()):
        one = message.objects.add(context_name=b"drive", frame_timestamp_micros=int(frame))
        sides = dict(zip(("center_x", "center_y", "center_z", "length", "width", "height", "heading"), box.tolist()))
        label = {
            "type": int(kind),
            "detection_difficulty_level": int(difficulty),
            "num_lidar_points_in_box": int(points),
        }
        one.object.MergeFrom(type(one.object)(box=sides, **(label | changes)))
    path.write_bytes(message.SerializeToString())


@pytest.fixture
def scene():
    return random_scene(np.random.default_rng(5))


@pytest.fixture
def files(tmp_path, scene):
    gt, found = scene
    frames, rows = np.unique(found.frame_id, return_inverse=True)
    write_gt(tmp_path / "GT.bin", gt)
    numbered = Predictions(rows, *list(vars(found).values())[1:])
    write_predictions(tmp_path / "DET.bin", numbered, [("drive", int(frame)) for frame in frames])
    return tmp_path / "GT.bin", tmp_path / "DET.bin"


def test_what_is_written_is_read(files, scene):
    gt, found = read_files(*files)
    np.testing.assert_array_equal(gt.boxes, scene[0].boxes)
    np.testing.assert_array_equal(found.boxes, scene[1].boxes)
    for name in ("type", "score", "overlap_nlz"):
        np.testing.assert_array_equal(getattr(found, name), getattr(scene[1], name))
    assert summary(evaluate(gt, found)) == summary(evaluate(*scene))


def test_bytes_of_one_object_are_those_of_the_official_fields(tmp_path):
    one = Predictions(*(np.array(v) for v in ([0], [[1.0, 0, 0, 0, 2.0, 0, 0]], [4], [0.5], [True])))
    write_predictions(tmp_path / "DET.bin", one, [("ab", 7)])
    double = {number: b"\x09\x11\x19\x21\x29\x31\x39"[number - 1 : number] for number in range(1, 8)}
    values = {1: 1.0, 2: 0.0, 3: 0.0, 4: 2.0, 5: 0.0, 6: 0.0, 7: 0.0}  # 4 is the width, 5 the length
    box = b"".join(double[n] + np.float64(v).tobytes() for n, v in values.items())
    label = b"\x0a" + bytes([len(box)]) + box + b"\x18\x04"
    expected = (
        b"\x0a" + bytes([len(label)]) + label + b"\x15" + np.float32(0.5).tobytes() + b"\x18\x01\x22\x02ab\x28\x07"
    )
    assert (tmp_path / "DET.bin").read_bytes() == b"\x0a" + bytes([len(expected)]) + expected


def test_unknown_fields_are_passed_over_and_no_prediction_is_no_error(files):
    gt, det = files
    gt.write_bytes(gt.read_bytes() + b"\x12\x02\x0a\x00")  # a no_label_zone_object
    det.write_bytes(b"")
    objects, found = read_files(gt, det)
    assert (len(objects), len(found)) == (32, 0)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "is no Objects file"),
        (lambda path: path.write_text("frame score box\n" * 20), "is no Objects file"),
        (lambda path: path.write_bytes(b"\x12\x02\x0a\x00"), "has no box"),
        (lambda path: path.write_bytes(b"\x0a\x02\x28\x07"), "object 0 has no box"),
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_damaged_files_are_named(files, damage, message, which):
    damage(files[which])
    with pytest.raises(DataError, match=f"{files[which].name}.*{message}"):
        read_files(*files)


def test_labels_without_points_are_refused(files, scene):
    write_gt(files[0], scene[0], num_lidar_points_in_box=0)
    with pytest.raises(DataError, match="num_lidar_points_in_box is 0 in all objects"):
        read_files(*files)


def test_faulty_values_name_the_file(files, scene):
    write_gt(files[0], scene[0], type=9)
    with pytest.raises(DataError, match=r"GT.bin: ground truth, row 0 \(frame 0\): type 9"):
        read_files(*files)
