import errno

import numpy as np
import pytest

from kecor.active import feature_store
from kecor.active.feature_store import FeatureStore

IDS = [f"{i:03d}" for i in range(10)]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(feature_store, "CHUNK", 4)


def arrays_of(ids):
    """Row i of ``fixed`` is i; frame i has i % 3 rows of ``ragged``, all i."""
    numbers = np.array([int(i) for i in ids])
    counts = numbers % 3
    fixed = np.repeat(numbers, 6).reshape(-1, 2, 3).astype(np.float16)
    return {"fixed": fixed, "count": counts, "ragged": np.repeat(numbers, counts).astype(np.int32)[:, None]}


def fill(store):
    for number, ids in store.missing():
        store.write_chunk(number, arrays_of(ids))


def test_chunks_join_to_the_arrays_of_all_frames(tmp_path):
    store = FeatureStore(tmp_path / "pool", IDS, ["fixed"])
    assert [ids for _, ids in store.missing()] == [IDS[:4], IDS[4:8], IDS[8:]]
    fill(store)
    expected = arrays_of(IDS)
    for found in (store.arrays(), store.arrays(), FeatureStore(tmp_path / "pool", IDS, ["fixed"]).arrays()):
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
    assert not list((tmp_path / "pool").glob("chunk_*"))


def test_a_killed_pass_goes_on_at_the_chunk_it_was_in(tmp_path):
    store = FeatureStore(tmp_path, IDS, ["fixed"])
    for number, ids in list(store.missing())[:2]:
        store.write_chunk(number, arrays_of(ids))
    again = FeatureStore(tmp_path, IDS, ["fixed"])
    assert [number for number, _ in again.missing()] == [2]
    (tmp_path / "chunk_00000.npz").write_bytes(b"cut short by a power failure")
    assert [number for number, _ in again.missing()] == [0, 2]
    fill(again)
    np.testing.assert_array_equal(again.arrays()["ragged"], arrays_of(IDS)["ragged"])


def test_a_kill_while_the_chunks_are_joined_costs_nothing(tmp_path, monkeypatch):
    store = FeatureStore(tmp_path, IDS, ["fixed"])
    fill(store)

    def killed(path, value):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(feature_store, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            store.arrays()
    again = FeatureStore(tmp_path, IDS, ["fixed"])
    assert list(again.missing()) == []
    np.testing.assert_array_equal(again.arrays()["fixed"], arrays_of(IDS)["fixed"])


@pytest.mark.parametrize(("ids", "names"), [(IDS[::-1], ["fixed"]), (IDS, ["fixed", "embedding"])])
def test_what_was_computed_for_other_frames_or_other_arrays_is_not_used(tmp_path, ids, names):
    fill(FeatureStore(tmp_path, IDS, ["fixed"]))
    assert len(list(FeatureStore(tmp_path, ids, names).missing())) == 3


def test_no_rows_at_all_and_large_arrays_are_both_read_back(tmp_path):
    store = FeatureStore(tmp_path, IDS, ["x"])
    for number, ids in list(store.missing()):
        large = np.full((len(ids), 40_000), float(number))
        store.write_chunk(number, {"none": np.zeros((0, 7), np.float32), "large": large})
    found = store.arrays()
    assert found["none"].shape == (0, 7)
    assert isinstance(found["large"], np.memmap)
    np.testing.assert_array_equal(found["large"][:, -1], [0] * 4 + [1] * 4 + [2] * 2)


def test_a_full_disk_leaves_no_half_written_chunk(tmp_path, monkeypatch):
    store = FeatureStore(tmp_path, IDS, ["fixed"])

    def full(stream, **arrays):
        stream.write(b"PK half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        store.write_chunk(0, arrays_of(IDS[:4]))
    assert [path.name for path in tmp_path.iterdir()] == ["features.json"]
