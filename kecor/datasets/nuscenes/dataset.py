"""The data set ``nuscenes``: key frames with the sweeps before them, and ten classes with velocities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.nuscenes.boxes import Annotations, read_annotations
from kecor.datasets.nuscenes.categories import CLASSES
from kecor.datasets.nuscenes.devkit import load_tables, sample_tokens
from kecor.datasets.nuscenes.points import COLUMNS, read_cloud
from kecor.datasets.nuscenes.transforms import lidar_to_global
from kecor.errors import ConfigError, DataError
from kecor.registry import DATASETS
from kecor.structures import Boxes, Frame

LABELLED = "labelled.txt"


@DATASETS.register_module("nuscenes")
class NuscenesDataset:
    """The key frames of one split; their ids are the sample tokens.

    Points and boxes are in the frame of the sensor LIDAR_TOP: **x to the right**, y forward, z up, as in OpenPCDet and
    MMDetection3D. Point columns are x, y, z in metres, intensity in [0, 255] as recorded, and age in seconds: 0 in the
    key frame. The tables are read once a process, whatever the number of splits.

    A scene without a single annotation is not labelled. Where ``root/labelled.txt`` exists, only the samples whose
    tokens it lists, separated by white space, are labelled.

    Args:
        root: folder that holds ``version``, ``samples``, ``sweeps`` and ``maps``.
        split: a split of ``root/version/splits.json``, a JSON object of split names and lists of scene names; or an
            official one: train, val, test, mini_train, mini_val, train_detect, train_track. The file takes
            precedence, so that it can redefine train and val for a part of the data set.
        classes: those of the detection task that count as ground truth.
        version: folder of the tables.
        sweeps: sweeps in a cloud, the key frame included; fewer at the start of a scene.
        min_points: boxes with fewer LiDAR points in the key frame are not read as ground truth. The metric keeps its
            own rule.

    Raises:
        KecorError: nuscenes-devkit is not installed.
        ConfigError: an unknown class, or ``sweeps`` or ``min_points`` out of range.
        DataError: a table is missing or damaged, or does not hold the split.
    """

    n_features = COLUMNS
    metric = "nuscenes"
    max_intensity = 255.0

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str],
        version: str = "v1.0-trainval",
        sweeps: int = 10,
        min_points: int = 0,
    ) -> None:
        unknown = [name for name in classes if name not in CLASSES]
        if unknown:
            raise ConfigError(f"data.classes: {unknown[0]!r} is none of nuScenes' classes {', '.join(CLASSES)}")
        if sweeps < 1 or min_points < 0:
            raise ConfigError(f"data: sweeps {sweeps} must be above 0 and min_points {min_points} not negative")
        self.root = Path(root)
        self.split = split
        self.classes = list(classes)
        self.version = version
        self.sweeps = sweeps
        self.min_points = min_points
        self.tables = load_tables(root, version)
        self.ids = sample_tokens(self.tables, split)
        self._labelled = self._labelled_ids()

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, frame_id: str, labels: bool = True) -> Frame:
        """One key frame.

        ``meta`` of a labelled frame holds, for each box, ``velocity`` (M, 2) in m/s along x and y of the LiDAR frame
        and ``velocity_global`` (M, 2), both NaN where unknown, ``num_lidar_pts`` (M,), ``num_radar_pts`` (M,) and
        ``tokens`` (M,); and ``obstacles`` (K, 7), the boxes of all else.

        Raises:
            DataError: the frame is unknown or unlabelled, or a file or record of it is missing or faulty.
        """
        points = read_cloud(self.tables, frame_id, self.sweeps)
        if not labels:
            return Frame(frame_id, points)
        found, wanted = self._annotations(frame_id)
        chosen = found.take(wanted)
        meta = {
            "velocity": chosen.velocity,
            "velocity_global": chosen.velocity_global,
            "num_lidar_pts": chosen.num_lidar_pts,
            "num_radar_pts": chosen.num_radar_pts,
            "tokens": chosen.tokens,
            "obstacles": found.boxes[~wanted],
        }
        return Frame(frame_id, points, chosen.boxes, chosen.names, meta=meta)

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]:
        """Boxes (M, 7) and class names (M,) of a labelled frame.

        Raises:
            DataError: the frame is unknown or unlabelled, or a record of it is faulty.
        """
        found, wanted = self._annotations(frame_id)
        return found.boxes[wanted], found.names[wanted]

    def is_labelled(self, frame_id: str) -> bool:
        """Whether the frame has labels; see the class."""
        return frame_id in self._labelled

    def sequence(self, frame_id: str) -> str:
        """Name of the frame's scene."""
        return self.tables.get("scene", self.tables.get("sample", frame_id)["scene_token"])["name"]

    def timestamp(self, frame_id: str) -> float:
        """Seconds since 1970."""
        return 1e-6 * self.tables.get("sample", frame_id)["timestamp"]

    def lidar_to_global(self, frame_id: str) -> np.ndarray:
        """(4, 4) float64 pose of the key frame's LiDAR in the global frame."""
        return lidar_to_global(self.tables, self.tables.key_frame(frame_id))

    def _annotations(self, frame_id: str) -> tuple[Annotations, np.ndarray]:
        """All annotations of a frame, and which are ground truth."""
        found = read_annotations(self.tables, frame_id)
        if not self.is_labelled(frame_id):
            raise DataError(f"{self.root}: sample {frame_id} of split {self.split} is not labelled")
        return found, np.isin(found.names, self.classes) & (found.num_lidar_pts >= self.min_points)

    def _labelled_ids(self) -> set[str]:
        path = self.root / LABELLED
        if not path.exists():
            samples = [self.tables.get("sample", frame_id) for frame_id in self.ids]
            scenes = {sample["scene_token"] for sample in samples if sample["anns"]}
            return {sample["token"] for sample in samples if sample["scene_token"] in scenes}
        try:
            listed = path.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error
        for token in listed:
            self.tables.get("sample", token)
        return set(listed)
