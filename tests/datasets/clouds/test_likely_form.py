import numpy as np
import pytest

from kecor.datasets.clouds.likely_form import describe, likely_columns
from kecor.datasets.clouds.reading import read_cloud
from tests.shared import shared_data


def sweep(width, shuffled, seed=0):
    """A sweep over flat ground with walls: x, y, z, intensity, ring, time, azimuth, range."""
    rng = np.random.default_rng(seed)
    angle = np.repeat(np.linspace(-np.pi, np.pi, 400), 32)
    ring = np.tile(np.arange(32), 400)
    pitch = np.deg2rad(-24 + ring)
    reach = np.minimum(np.where(pitch < 0, 1.8 / np.maximum(np.sin(-pitch), 1e-3), 99), 20 + 15 * np.sin(5 * angle))
    flat = reach * np.cos(pitch)
    columns = [flat * np.cos(angle), flat * np.sin(angle), reach * np.sin(pitch), rng.uniform(0, 1, len(angle))]
    columns += [ring, np.linspace(0, 0.1, len(angle)), angle, reach]
    rows = np.stack(columns, axis=1)[:, :width]
    return rng.permutation(rows) if shuffled else rows


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [3, 4, 5, 6])
def test_type_and_width_are_found(width, dtype, shuffled):
    data = sweep(width, shuffled).astype(dtype).tobytes()
    assert likely_columns(data, len(data)) == (dtype, width)


def test_real_sweeps_are_of_four_columns_or_of_three_when_cut(tmp_path):
    for path in sorted(shared_data("kitti_mini", "training", "velodyne").glob("*.bin"))[:10]:
        points = np.fromfile(path, np.float32).reshape(-1, 4)
        n = len(points) // 20 * 20
        for width in (3, 4):
            for dtype in ("float32", "float64"):
                data = np.ascontiguousarray(points[:n, :width], dtype).tobytes()
                assert likely_columns(data, len(data)) == (dtype, width), path
    (tmp_path / "a.bin").write_bytes(data)
    assert describe(tmp_path / "a.bin") == "likely float64, 4 columns"


@pytest.mark.parametrize("start", [b"<", b" <", b"PK", b"\x1f\x8b", b"\n\n"])
def test_points_may_begin_with_the_bytes_of_other_files(tmp_path, start):
    """One float32 in 256 begins with ``<``, the first byte of an HTML page."""
    points = sweep(4, shuffled=False).astype("<f4")
    data = start + points.tobytes()[len(start) :]
    (tmp_path / "a.bin").write_bytes(data)
    changed = np.frombuffer(data, "<f4").reshape(-1, 4)
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.bin")[:, :3], changed[:, :3])
    assert describe(tmp_path / "a.bin") == "likely float32, 4 columns"
