import struct
import zlib

import numpy as np
import pytest

from kecor.datasets.kitti.files import not_finite, read_plane, read_points, read_split
from kecor.datasets.kitti.images import DEFAULT_IMAGE_SIZE, ImageSizes, png_size, read_image_sizes
from kecor.errors import DataError


def png(width: int, height: int) -> bytes:
    """A whole grey PNG image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_points_are_read_as_written(tmp_path):
    points = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    points.tofile(tmp_path / "a.bin")
    read = read_points(tmp_path / "a.bin")
    np.testing.assert_array_equal(read, points)
    assert read.dtype == np.float32
    assert read.flags.writeable


@pytest.mark.parametrize(("data", "message"), [(b"", "a.bin: is empty"), (bytes(33), "a.bin: truncated: 33 bytes")])
def test_faulty_clouds_are_named(tmp_path, data, message):
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_points(tmp_path / "a.bin")


def test_a_missing_cloud_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.bin: cannot be read"):
        read_points(tmp_path / "a.bin")


def test_not_finite_looks_at_every_channel():
    points = np.zeros((4, 4), np.float32)
    points[1, 3], points[2, 0] = np.nan, -np.inf
    assert not_finite(points).tolist() == [False, True, True, False]


def test_split_lists_may_have_blank_lines_and_windows_line_ends(tmp_path):
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets" / "train.txt").write_bytes(b"000001\r\n\r\n000002\r\n")
    assert read_split(tmp_path, "train") == ["000001", "000002"]


def test_a_list_of_what_is_no_frame_id_names_the_line(tmp_path):
    (tmp_path / "ImageSets").mkdir()
    for bad in ("../../x", "/etc/passwd", "a/b/c"):
        (tmp_path / "ImageSets" / "train.txt").write_text(f"000001\n\n{bad}\n")
        with pytest.raises(DataError, match=rf"train\.txt:3: '{bad}' is no frame id"):
            read_split(tmp_path, "train")


def test_png_size_reads_the_header(tmp_path):
    (tmp_path / "a.png").write_bytes(png(37, 21))
    assert png_size(tmp_path / "a.png") == (37, 21)
    (tmp_path / "b.png").write_bytes(b"JFIF" * 10)
    with pytest.raises(DataError, match=r"b\.png: is no PNG image"):
        png_size(tmp_path / "b.png")


def test_sizes_come_from_the_list_then_the_image_then_the_default(tmp_path):
    (tmp_path / "training" / "image_2").mkdir(parents=True)
    (tmp_path / "image_sizes.csv").write_text("frame,width,height\na,1224,370\n")
    for name in ("a", "b"):
        (tmp_path / "training" / "image_2" / f"{name}.png").write_bytes(png(37, 21))
    sizes = ImageSizes(tmp_path)
    assert [sizes(i) for i in "abc"] == [(1224, 370), (37, 21), DEFAULT_IMAGE_SIZE]
    assert ImageSizes(tmp_path, "testing")("a") == DEFAULT_IMAGE_SIZE


@pytest.mark.parametrize(
    ("text", "where"),
    [("id,w,h\n", ":1:"), ("frame,width,height\na,1,2\nb,1\n", ":3:"), ("frame,width,height\na,0,5\n", ":2:")],
)
def test_faulty_size_lists_are_errors_that_name_the_line(tmp_path, text, where):
    (tmp_path / "image_sizes.csv").write_text(text)
    with pytest.raises(DataError, match="image_sizes.csv" + where):
        read_image_sizes(tmp_path / "image_sizes.csv")


def test_a_ground_plane_is_read_and_a_broken_one_is_named(tmp_path):
    path = tmp_path / "000000.txt"
    assert read_plane(path) is None
    path.write_text("# Plane\nWidth 4\nHeight 1\n0.0 -2.0 0.0 3.3\n")
    np.testing.assert_allclose(read_plane(path), [0, -1, 0, 1.65])
    for broken in ("# Plane\n", "a\nb\nc\n0 -1 0\n", "a\nb\nc\n0 -1 x 2\n", "a\nb\nc\n1 0 0 2\n"):
        path.write_text(broken)
        with pytest.raises(DataError, match=r"000000\.txt"):
            read_plane(path)
