"""Arrays of converted segments whose headers are damaged."""

import numpy as np
import pytest

from kecor.datasets.waymo.segments import read_array
from kecor.errors import DataError


@pytest.mark.parametrize("damage", [(b"{'descr'", b"{'des'cr"), (b"False", b"F(lse"), (b"(3,)", b"(9,)")])
def test_a_damaged_header_is_named(tmp_path, damage):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(3.0))
    assert read_array(path, np.float64).tolist() == [0, 1, 2]
    path.write_bytes(path.read_bytes().replace(*damage))
    with pytest.raises(DataError, match=r"a\.npy: is no \.npy file or is cut off"):
        read_array(path, np.float64)
