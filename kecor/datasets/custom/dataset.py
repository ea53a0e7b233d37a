"""The data set ``custom``: clouds, labels where there are any, and lists of frames."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from kecor.datasets.account.classes import unlike
from kecor.datasets.clouds.columns import DEFAULT, check_columns, feature_names
from kecor.datasets.clouds.found_columns import wrong_columns
from kecor.datasets.clouds.reading import read_cloud
from kecor.datasets.convention import apply_readings, check_readings
from kecor.datasets.custom.intensity import SWEEPS, intensity_scale, scale_intensity
from kecor.datasets.custom.labels import read_label_file
from kecor.datasets.custom.layout import find_clouds, split_ids
from kecor.datasets.custom.sequences import read_values, sequence_of
from kecor.errors import ConfigError, DataError
from kecor.registry import DATASETS
from kecor.structures import Boxes, Frame, as_boxes


@DATASETS.register_module("custom")
class CustomDataset:
    """The frames of one split of ``root``: ``points/ID.{bin,npy,pcd,ply,las,laz}`` and ``labels/ID.txt``.

    A frame without a label file is not labelled; an empty file says that it holds no object. The split lists
    ``ImageSets/SPLIT.txt`` are optional, see :func:`~kecor.datasets.custom.layout.split_ids`, as are ``poses.txt`` (12
    numbers a frame) and ``timestamps.txt`` (seconds), see :mod:`kecor.datasets.custom.sequences`.

    Args:
        root: the folder that holds ``points``.
        split: name of the split.
        classes: the classes whose objects are ground truth, spelt as in the label files.
        columns: what a point of a ``.bin`` or ``.npy`` file holds, or which columns of other files are read;
            see :func:`~kecor.datasets.clouds.reading.read_cloud`.
        intensity: what intensities are divided by; 0 ignores them; ``auto`` measures it on 20 sweeps of ``root``.
        label_reading: how labels are meant that differ from the convention, such as [degrees, bottom]; names of
            :data:`kecor.datasets.convention.READINGS`.

    Raises:
        DataError: no such folder or split list, or a frame without a cloud.
        ConfigError: an argument has a value that cannot be used.
    """

    metric = "boxes"

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str],
        columns: Sequence[str] | None = None,
        intensity: float | str = "auto",
        label_reading: Sequence[str] = (),
    ) -> None:
        self.root = Path(root)
        self.split = split
        self.classes = list(classes)
        self.columns = check_columns(columns)
        self.intensity = _check_intensity(intensity)
        self.label_reading = check_readings(label_reading)
        self.n_features = len(feature_names(self.columns or DEFAULT))
        self.clouds = find_clouds(self.root)
        self.ids = split_ids(self.root, split, self.clouds)
        self._seconds = read_values(self.root / "timestamps.txt", list(self.clouds), 1)
        self._poses = read_values(self.root / "poses.txt", list(self.clouds), 12)
        self._named: set[str] = set()

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, frame_id: str, labels: bool = True) -> Frame:
        """One frame. With ``labels``, ``meta["obstacles"]`` (K, 7) holds the boxes of other classes.

        Raises:
            DataError: a file of the frame is missing or faulty; names it and says what to do.
        """
        points = scale_intensity(read_cloud(self._cloud(frame_id), self.columns), self.scale)
        if not labels:
            return Frame(frame_id, points)
        boxes, names = self._labels(frame_id)
        wanted = np.isin(names, self.classes)
        return Frame(frame_id, points, boxes[wanted], names[wanted], meta={"obstacles": boxes[~wanted]})

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]:
        """Boxes (M, 7) and names (M,) of the frame's objects of ``classes``; its cloud is not read.

        Raises:
            DataError: the frame has no labels, or they are faulty.
        """
        boxes, names = self._labels(frame_id)
        wanted = np.isin(names, self.classes)
        return boxes[wanted], names[wanted]

    def written_boxes(self, frame_id: str) -> np.ndarray:
        """(M, 7) float64 boxes of ``classes`` as the label file has them."""
        boxes, names = read_label_file(self.label_path(frame_id))
        return boxes[np.isin(names, self.classes)]

    def all_names(self, frame_id: str) -> list[str]:
        """The class names in the label file."""
        return read_label_file(self.label_path(frame_id))[1].tolist()

    def suspicions(self, frame_ids: Sequence[str]) -> list[str]:
        """Warns of clouds that likely hold other columns."""
        found = (wrong_columns(self._cloud(frame_id), self.columns) for frame_id in frame_ids)
        return [warning for warning in found if warning][:1]

    def is_labelled(self, frame_id: str) -> bool:
        """Whether the frame has a label file, an empty one included."""
        return self.label_path(frame_id).exists()

    def sequence(self, frame_id: str) -> str | None:
        """The folder of the id; without one, ``""`` for all where poses or timestamps say they are of one drive."""
        return sequence_of(frame_id, bool(self._seconds or self._poses))

    def timestamp(self, frame_id: str) -> float | None:
        """Seconds, of ``timestamps.txt``."""
        return float(self._seconds[frame_id][0]) if frame_id in self._seconds else None

    def pose(self, frame_id: str) -> np.ndarray | None:
        """(3, 4) float64 from the frame's LiDAR frame to that of its sequence, of ``poses.txt``."""
        return self._poses[frame_id].reshape(3, 4) if frame_id in self._poses else None

    def label_path(self, frame_id: str) -> Path:
        """Where the label file of a frame is or would be."""
        self._cloud(frame_id)
        return self.root / "labels" / f"{frame_id}.txt"

    @cached_property
    def scale(self) -> float:
        """What intensities are divided by; the same for all splits, whichever frames are labelled."""
        if isinstance(self.intensity, float):
            return self.intensity
        paths = list(self.clouds.values())
        return intensity_scale(read_cloud(path, self.columns) for path in paths[:: -(-len(paths) // SWEEPS)])

    def _cloud(self, frame_id: str) -> Path:
        if frame_id not in self.clouds:
            raise DataError(f"{self.root}: there is no frame {frame_id!r}")
        return self.clouds[frame_id]

    def _labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]:
        path = self.label_path(frame_id)
        if not path.exists():
            raise DataError(f"frame {frame_id}: is not labelled: there is no {path}")
        boxes, names = read_label_file(path)
        self._name_strangers(path, names)
        return as_boxes(apply_readings(boxes, self.label_reading), str(path)), names

    def _name_strangers(self, path: Path, names: np.ndarray) -> None:
        """Warn once about each class that is not in ``classes`` but is spelt almost like one that is."""
        for name in sorted(set(names.tolist()) - set(self.classes) - self._named):
            self._named.add(name)
            hint = unlike(name, self.classes)
            if hint:
                warnings.warn(f"{path}: objects of class {name!r} are left out{hint}", stacklevel=4)


def _check_intensity(intensity: float | str) -> float | str:
    if intensity == "auto":
        return intensity
    number = isinstance(intensity, (int, float)) and not isinstance(intensity, bool)
    if not number or not np.isfinite(intensity) or float(intensity) < 0:
        raise ConfigError(f"data.intensity: expected auto or a number of at least 0, got {intensity!r}")
    return float(intensity)
