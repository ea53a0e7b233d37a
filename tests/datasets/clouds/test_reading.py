import os
from pathlib import Path

import numpy as np
import pytest

from kecor.datasets.clouds import read_cloud
from kecor.errors import DataError
from tests.shared import shared_data


def cloud(n=500, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.uniform([-40, -30, -2, 0], [60, 30, 2, 1], (n, 4)).astype(np.float32)
    return np.round(points, 3)


def open3d_cloud(points, ring=None):
    import open3d

    made = open3d.t.geometry.PointCloud(np.ascontiguousarray(points[:, :3]))
    if ring is not None:
        made.point.ring = ring[:, None]
    made.point.intensity = np.ascontiguousarray(points[:, 3:4])
    return made


@pytest.mark.parametrize("form", ["ascii", "binary", "compressed"])
@pytest.mark.parametrize("repeated", [False, True])
def test_pcd_as_open3d_writes_it(tmp_path, form, repeated):
    import open3d

    points = np.repeat(cloud(20), 40, axis=0) if repeated else cloud()
    ring = np.arange(len(points), dtype=np.uint16) % 64
    path = tmp_path / "a.pcd"
    written = open3d_cloud(points, ring)
    open3d.t.io.write_point_cloud(str(path), written, write_ascii=form == "ascii", compressed=form == "compressed")
    np.testing.assert_allclose(read_cloud(path), points, atol=1e-5)
    np.testing.assert_array_equal(read_cloud(path, ["x", "y", "z", "ring", "intensity"])[:, 4], ring)


@pytest.mark.parametrize("ascii_form", [False, True])
def test_ply_as_open3d_writes_it(tmp_path, ascii_form):
    import open3d

    points = cloud()
    path = tmp_path / "a.ply"
    open3d.t.io.write_point_cloud(str(path), open3d_cloud(points), write_ascii=ascii_form)
    np.testing.assert_allclose(read_cloud(path), points, atol=1e-5)


def test_ply_of_cloud_compare_in_big_endian(tmp_path):
    points = cloud()
    head = "ply\r\nformat binary_big_endian 1.0\r\ncomment made by hand\r\nelement vertex 500\r\nproperty double x\r\n"
    head += "property double y\r\nproperty double z\r\nproperty float scalar_Intensity\r\nend_header\r\n"
    rows = np.zeros(500, [("x", ">f8"), ("y", ">f8"), ("z", ">f8"), ("i", ">f4")])
    for k, name in enumerate(rows.dtype.names):
        rows[name] = points[:, k]
    (tmp_path / "a.ply").write_bytes(head.encode() + rows.tobytes())
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.ply"), points)


def test_pcd_as_pcl_pads_it_and_without_intensity(tmp_path):
    points = cloud()
    head = "VERSION 0.7\nFIELDS x y z _ rgb normal _\nSIZE 4 4 4 1 4 4 1\nTYPE F F F U F F U\nCOUNT 1 1 1 4 1 3 2\n"
    head += "WIDTH 100\nHEIGHT 5\nDATA binary\n"
    rows = np.zeros(500, [("p", "<f4", 3), ("a", "u1", 4), ("rgb", "<f4"), ("normal", "<f4", 3), ("b", "u1", 2)])
    rows["p"] = points[:, :3]
    (tmp_path / "a.pcd").write_bytes(head.encode() + rows.tobytes())
    read = read_cloud(tmp_path / "a.pcd")
    np.testing.assert_array_equal(read[:, :3], points[:, :3])
    assert not read[:, 3].any()


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_las(tmp_path, suffix):
    laspy = pytest.importorskip("laspy")
    points = cloud()
    header = laspy.LasHeader(point_format=3, version="1.2")
    header.scales = [0.001] * 3
    las = laspy.LasData(header)
    las.x, las.y, las.z = points[:, :3].T
    las.intensity = (points[:, 3] * 60000).astype(np.uint16)
    las.write(str(tmp_path / f"a.{suffix}"))
    read = read_cloud(tmp_path / f"a.{suffix}", ["x", "y", "z", "intensity", "gps_time"])
    np.testing.assert_allclose(read[:, :3], points[:, :3], atol=6e-4)
    np.testing.assert_array_equal(read[:, 3], las.intensity)
    assert read.shape[1] == 5


@pytest.mark.parametrize("suffix", ["bin", "npy"])
def test_columns_are_taken_by_position(tmp_path, suffix):
    points = np.column_stack([cloud(), np.arange(500), np.full(500, np.nan)]).astype(np.float32)
    path = tmp_path / f"a.{suffix}"
    points.tofile(path) if suffix == "bin" else np.save(path, points)
    read = read_cloud(path, ["x", "y", "z", "_", "ring", "intensity"])
    np.testing.assert_array_equal(read[:, :3], points[:, :3])
    np.testing.assert_array_equal(read[:, 3], np.zeros(500))  # NaN
    np.testing.assert_array_equal(read[:, 4], np.arange(500))


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32])
def test_arrays_of_other_types_and_widths(tmp_path, width, dtype):
    points = (cloud() * 4)[:, :width].astype(dtype)
    np.save(tmp_path / "a.npy", np.asfortranarray(points))
    read = read_cloud(tmp_path / "a.npy")
    assert read.dtype == np.float32
    np.testing.assert_allclose(read[:, :width], points, rtol=1e-6)
    assert read.shape == (500, 4)


def test_points_that_returned_nothing_are_left_out(tmp_path):
    points = cloud()
    points[::2, :3] = np.nan
    points[1, 0] = np.inf
    points.tofile(tmp_path / "a.bin")
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.bin"), points[3::2])


def kinds(points):
    """Name -> bytes of a file, its ending, and what the error has to say."""
    text = "\n".join(" ".join(map(str, row)) for row in points.tolist()).encode()
    header = b"VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH %d\nHEIGHT 1\nPOINTS %d\nDATA %s\n"
    ply = b"ply\nformat binary_little_endian 1.0\nelement vertex %d\nproperty float x\nproperty float y\n"
    ply += b"property float z\nend_header\n"
    npy_head = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000, 4), }"
    return {
        "empty.bin": (b"", "no point"),
        "cut.bin": (points.tobytes()[:-3], "no whole number of points"),
        "three.bin": (points[:499, :3].tobytes(), "likely float32, 3 columns"),
        "double.bin": (points[:499].astype(np.float64).tobytes()[:-8], "no whole number|float64"),
        "double_fits.bin": (np.random.default_rng(0).normal(0, 20, (500, 4)).tobytes(), "likely float64, 4 columns"),
        "text.bin": (text[: len(text) // 16 * 16 + 1], "a text"),
        "text_fits.bin": (text[: len(text) // 16 * 16], "a text"),
        "pointer.bin": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"),
        "page.bin": (b"<!DOCTYPE html><html>", "HTML"),
        "nan.bin": (np.full((9, 4), np.nan, np.float32).tobytes(), "finite coordinates"),
        "millimetres.bin": ((points * [1000, 1000, 1000, 1]).astype(np.float32).tobytes(), "millimetres"),
        "utm.npy": (None, "UTM"),
        "kilometres.bin": ((points / 1000).astype(np.float32).tobytes(), "kilometres"),
        "absurd.npy": (npy_head.ljust(127) + b"\n" + b"0" * 100, "absurd.npy"),
        "objects.npy": (None, "objects.npy"),
        "flat.npy": (None, r"\(N, columns\)"),
        "none.npy": (None, "no point|none.npy"),
        "five.npy": (None, "5 columns"),
        "text.npy": (text, "a text"),
        "text.pcd": (text, "PCD header"),
        "huge.pcd": (header % (10**12, 10**12, b"binary") + b"0" * 100, "more than a sweep"),
        "minus.pcd": (header % (-1, -1, b"binary"), "header"),
        "zero.pcd": (header % (0, 0, b"binary"), "no point"),
        "cut.pcd": (header % (99, 99, b"binary") + b"0" * 100, "truncated"),
        "cut_ascii.pcd": (header % (99, 99, b"ascii") + b"1 2 3\n" * 98, "297|99"),
        "words.pcd": (header % (1, 1, b"ascii") + b"1 2 three", "three"),
        "form.pcd": (header % (1, 1, b"json") + b"1 2 3", "json"),
        "lzf.pcd": (
            header % (9, 9, b"binary_compressed") + np.array([8, 108], "<u4").tobytes() + b"\xff" * 8,
            "damaged",
        ),
        "lzf_size.pcd": (header % (9, 9, b"binary_compressed") + np.array([8, 2**31], "<u4").tobytes(), "truncated"),
        "huge.ply": (ply % 10**12, "more than a sweep"),
        "cut.ply": (ply % 99 + b"0" * 99, "truncated"),
        "list.ply": (ply.replace(b"float z", b"list uchar int z") % 9, "PLY header"),
        "text.ply": (text, "PLY header"),
        "text.las": (text, "LAS"),
    }


NPY = {
    "utm.npy": cloud() + np.array([691000.0, 5335000.0, 500.0, 0]),
    "objects.npy": np.array([[None, 1, 2]], object),
    "flat.npy": np.zeros(12, np.float32),
    "none.npy": np.zeros((0, 4), np.float32),
    "five.npy": np.zeros((7, 5), np.float32),
}


@pytest.mark.parametrize("name", kinds(cloud()))
def test_what_cannot_be_a_cloud_is_named(tmp_path, name):
    content, says = kinds(cloud())[name]
    if name.endswith("las"):
        pytest.importorskip("laspy")
    path = tmp_path / name
    np.save(path, NPY[name]) if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read_cloud(path)
    assert str(path) in str(caught.value)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.bin")
    (tmp_path / "folder.bin").mkdir()
    for name, says in (
        ("pipe.bin", "no regular file"),
        ("folder.bin", "no regular file"),
        ("none.bin", "no such file"),
    ):
        with pytest.raises(DataError, match=says):
            read_cloud(tmp_path / name)


def test_a_sparse_file_of_64_gib_is_refused_by_its_size(tmp_path):
    with (tmp_path / "a.bin").open("wb") as stream:
        stream.truncate(64 << 30)
    with pytest.raises(DataError, match="more than a sweep can have"):
        read_cloud(tmp_path / "a.bin")


@pytest.mark.parametrize("form", ["ascii", "binary", "compressed", "ply", "npy"])
def test_damaged_files_end_in_a_data_error(tmp_path, form):
    import open3d

    rng = np.random.default_rng(len(form))
    suffix = form if form in ("ply", "npy") else "pcd"
    whole = tmp_path / f"whole.{suffix}"
    if form == "npy":
        np.save(whole, cloud(60))
    else:
        made = open3d_cloud(cloud(60))
        open3d.t.io.write_point_cloud(str(whole), made, write_ascii=form == "ascii", compressed=form == "compressed")
    content, path = whole.read_bytes(), tmp_path / f"a.{suffix}"
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(0, min(len(content), 300), rng.integers(1, 5)):
            damaged[place] = rng.integers(0, 256)
        if rng.uniform() < 0.3:
            damaged = damaged[: rng.integers(0, len(content))]
        path.write_bytes(damaged)
        try:
            assert np.isfinite(read_cloud(path)).all()
        except DataError as error:
            refused += str(path) in str(error)
    assert refused > 30


def test_the_samples_of_annotation_tools():
    folder = shared_data("labelling")
    for path in sorted(Path(folder).glob("**/*.pcd"))[:6]:
        import open3d

        read = open3d.t.io.read_point_cloud(str(path))
        expected = np.hstack([read.point.positions.numpy(), read.point.intensity.numpy()])
        np.testing.assert_array_equal(read_cloud(path), expected)
