"""A tiny data set in the KITTI object layout, written for a test."""

from pathlib import Path

import numpy as np

from kecor.datasets.kitti.calibration import Calibration, format_calibration

CALIB = Calibration(
    p2=np.array([[700.0, 0, 600, 45], [0, 700, 180, -0.3], [0, 0, 1, 0.005]]),
    r0=np.eye(3),
    v2c=np.array([[0.0, -1, 0, 0.01], [0, 0, -1, -0.08], [1, 0, 0, -0.27]]),
)
CAR_LINE = "Car 0.10 1 0.50 100.00 100.00 200.00 190.00 1.50 1.60 4.00 {x:.2f} 1.70 {z:.2f} -1.20\n"
DONT_CARE_LINE = "DontCare -1 -1 -10 500.00 170.00 590.00 190.00 -1 -1 -1 -1000 -1000 -1000 -10\n"


def cloud(seed: int, n: int = 400) -> np.ndarray:
    """(n, 4) points all around the sensor."""
    rng = np.random.default_rng(seed)
    return rng.uniform([-40, -30, -3, 0], [60, 30, 1, 1], (n, 4)).astype(np.float32)


def write_set(root: Path, train: tuple[str, ...] = ("a0", "a1", "a2"), val: tuple[str, ...] = ("b0",)) -> Path:
    """Write a set of frames with one car, one pedestrian and one ignored region each; returns ``root``."""
    for folder in ("velodyne", "label_2", "calib"):
        (root / "training" / folder).mkdir(parents=True)
    (root / "ImageSets").mkdir()
    (root / "ImageSets" / "train.txt").write_text("".join(f"{i}\n" for i in train))
    (root / "ImageSets" / "val.txt").write_text("".join(f"{i}\n" for i in val))
    for k, frame_id in enumerate((*train, *val)):
        cloud(k).tofile(root / "training" / "velodyne" / f"{frame_id}.bin")
        (root / "training" / "calib" / f"{frame_id}.txt").write_text(format_calibration(CALIB))
        pedestrian = "Pedestrian 0 0 0 400.00 150.00 420.00 210.00 1.80 0.60 0.80 3.00 1.70 20.00 0.30\n"
        text = DONT_CARE_LINE + CAR_LINE.format(x=-2.0 + k, z=12.0 + k) + pedestrian
        (root / "training" / "label_2" / f"{frame_id}.txt").write_text(text)
    return root
