"""One tiny simulated set of each layout, made once."""

import pytest

from kecor.simulation import custom, nuscenes, write_dataset
from kecor.simulation.waymo import write_waymo

SEED, FRAMES = 7, 2


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Layout -> folder of a set of two drives (kitti: four frames), half of them in ``val``."""
    root, shares = tmp_path_factory.mktemp("simulated"), {"val_fraction": 0.5, "progress": False}
    write_dataset(root / "kitti", 4, SEED, workers=1, **shares)
    write_waymo(root / "waymo", 2, FRAMES, SEED, workers=1, **shares)
    nuscenes.write_simulated(root / "nuscenes", 2, FRAMES, SEED, sweeps=2, **shares)
    custom.write_simulated(root / "custom", 2, FRAMES, SEED, **shares)
    return {layout: root / layout for layout in ("kitti", "waymo", "nuscenes", "custom")}
