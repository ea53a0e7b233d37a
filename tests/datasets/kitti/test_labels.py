import numpy as np
import pytest

from kecor.datasets.kitti.calibration import format_calibration, read_calibration
from kecor.datasets.kitti.labels import format_objects, read_objects, without_size
from kecor.errors import DataError
from tests.datasets.small_set import CALIB, CAR_LINE, DONT_CARE_LINE

TEXT = DONT_CARE_LINE + CAR_LINE.format(x=1, z=9) + "\n" + CAR_LINE.format(x=2, z=8)


def test_objects_survive_writing_and_reading(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    objects = read_objects(tmp_path / "a.txt")
    assert objects.names.tolist() == ["DontCare", "Car", "Car"]
    assert objects.dimensions[1].tolist() == [1.5, 1.6, 4.0]
    assert objects.location[2].tolist() == [2, 1.7, 8]
    (tmp_path / "b.txt").write_text(format_objects(objects))
    again = read_objects(tmp_path / "b.txt")
    for field in ("truncated", "occluded", "alpha", "bbox", "dimensions", "location", "rotation_y"):
        np.testing.assert_array_equal(getattr(again, field), getattr(objects, field))


def test_result_files_have_a_score(tmp_path):
    (tmp_path / "a.txt").write_text(CAR_LINE.format(x=1, z=9).strip() + " 0.75\n")
    assert read_objects(tmp_path / "a.txt", scored=True).scores.tolist() == [0.75]
    (tmp_path / "b.txt").write_text(CAR_LINE.format(x=1, z=9))
    with pytest.raises(DataError, match=r"b\.txt:1: 15 fields where 16"):
        read_objects(tmp_path / "b.txt", scored=True)


@pytest.mark.parametrize(("old", "new"), [(" -1.20", ""), ("4.00", "four"), ("4.00", "nan"), ("4.00", "inf")])
def test_a_faulty_line_is_named(tmp_path, old, new):
    (tmp_path / "a.txt").write_text(DONT_CARE_LINE + CAR_LINE.format(x=1, z=9).replace(old, new))
    with pytest.raises(DataError, match=r"a\.txt:2: "):
        read_objects(tmp_path / "a.txt")


def test_an_empty_file_holds_no_object(tmp_path):
    (tmp_path / "a.txt").write_text("")
    assert len(read_objects(tmp_path / "a.txt")) == 0
    assert without_size(read_objects(tmp_path / "a.txt")).shape == (0,)


def test_without_size_finds_flat_objects_but_not_ignored_regions(tmp_path):
    flat = CAR_LINE.format(x=1, z=9).replace("1.60", "0.00")
    (tmp_path / "a.txt").write_text(TEXT + flat)
    assert without_size(read_objects(tmp_path / "a.txt")).tolist() == [False, False, False, True]


def test_calibration_survives_writing_and_reading(tmp_path):
    (tmp_path / "a.txt").write_text(format_calibration(CALIB))
    again = read_calibration(tmp_path / "a.txt")
    for name in ("p2", "r0", "v2c"):
        np.testing.assert_allclose(getattr(again, name), getattr(CALIB, name), rtol=1e-11)


@pytest.mark.parametrize("key", ["P2", "R0_rect", "Tr_velo_to_cam"])
def test_a_missing_or_short_matrix_is_named(tmp_path, key):
    lines = format_calibration(CALIB).splitlines(True)
    (tmp_path / "a.txt").write_text("".join(x for x in lines if not x.startswith(key)))
    with pytest.raises(DataError, match=rf"a\.txt: no {key}"):
        read_calibration(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("".join(f"{key}: 1 2 3\n" if x.startswith(key) else x for x in lines))
    with pytest.raises(DataError, match=rf"b\.txt: {key}: expected \d+ finite numbers, got 3"):
        read_calibration(tmp_path / "b.txt")
