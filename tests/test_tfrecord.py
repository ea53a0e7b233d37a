import struct

import pytest

from kecor.errors import DataError
from kecor.tfrecord import masked_crc, read_records, write_records

RECORDS = [b"first", b"", bytes(range(256)) * 5]


@pytest.fixture
def path(tmp_path):
    write_records(tmp_path / "a.tfrecord", RECORDS)
    return tmp_path / "a.tfrecord"


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"", 0),
    ],
)
def test_the_checksum_is_crc32c(data, crc):
    """Check value of the polynomial and the examples of RFC 3720, appendix B.4."""
    rotated = (crc >> 15) | (crc << 17) & 0xFFFFFFFF
    assert masked_crc(data) == (rotated + 0xA282EAD8) % 2**32


def test_records_come_back(path):
    assert list(read_records(path)) == RECORDS
    assert path.stat().st_size == sum(map(len, RECORDS)) + 16 * len(RECORDS)


def test_a_cut_file_names_the_record(path):
    data = path.read_bytes()
    for end in (len(data) - 1, len(data) - 1285, 45):
        path.write_bytes(data[:end])
        with pytest.raises(DataError, match=r"a\.tfrecord: record 2: .*download it again"):
            list(read_records(path))


def test_a_wrong_byte_is_found(path):
    data = bytearray(path.read_bytes())
    data[14] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="record 0: the checksum of its 5 bytes is wrong"):
        list(read_records(path))


def test_an_absurd_length_is_refused_before_anything_is_read(path):
    header = struct.pack("<Q", 1 << 60)
    path.write_bytes(header + struct.pack("<I", masked_crc(header)) + b"rest of the file")
    with pytest.raises(DataError, match="record 0: claims 1152921504606846976 bytes where 12 are left"):
        list(read_records(path))


@pytest.mark.parametrize(("data", "message"), [(b"", "is empty"), (b"no TFRecord file at all", "no TFRecord file")])
def test_other_files_are_refused(path, data, message):
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        list(read_records(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.tfrecord: cannot be read"):
        list(read_records(tmp_path / "nowhere.tfrecord"))
