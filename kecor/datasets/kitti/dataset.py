"""Data sets in the KITTI object layout: a split list, clouds, labels and calibration, read frame by frame."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kecor.datasets.kitti.calibration import Calibration, read_calibration
from kecor.datasets.kitti.difficulty import difficulty
from kecor.datasets.kitti.files import check_columns, not_finite, read_plane, read_points, read_split
from kecor.datasets.kitti.images import ImageSizes
from kecor.datasets.kitti.index import INDEX_NAME, KittiIndex, command, read_index
from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects, read_objects, without_size
from kecor.datasets.kitti.written import LIDAR_FRAME, image_size_warning, lidar_boxes, written_boxes
from kecor.errors import DataError
from kecor.registry import DATASETS
from kecor.structures import Boxes, Frame


@DATASETS.register_module("kitti")
class KittiDataset:
    """The frames of one split of ``root``: ``training/{velodyne,label_2,calib}/ID.*`` (``testing`` for split "test").

    The constructor reads the split list and, where there is one, the index of :mod:`kecor.datasets.kitti.index`; it
    writes nothing. Faults in a frame's files are errors unless the index decided what to do about them.

    Args:
        root: the folder that holds ``ImageSets``.
        split: the name of the list in it.
        classes: classes whose objects are ground truth, spelt as in the label files.
        camera_view: keep only the points that fall on the image, the part of the sweep that is labelled.

    Attributes:
        ids: the frame ids, in the order of the list.

    Raises:
        DataError: no such folder or split list (those there are get named), or an id that is listed twice.
    """

    n_features = 4
    metric = "kitti"

    def __init__(self, root: str | Path, split: str, classes: Sequence[str], camera_view: bool = True) -> None:
        self.root = Path(root)
        self.split = split
        self.classes = list(classes)
        self.camera_view = camera_view
        folder = "testing" if split == "test" else "training"
        self.folder = self.root / folder
        self._image_sizes = ImageSizes(self.root, folder)
        listed = read_split(self.root, split)
        for frame_id, count in Counter(listed).items():
            if count > 1:
                raise DataError(f"{self.root / 'ImageSets' / split}.txt: frame {frame_id} is listed {count} times")
        self._index = KittiIndex() if split == "test" else read_index(self.root)
        self.ids = [frame_id for frame_id in listed if frame_id not in self._index.excluded]
        if len(self.ids) < len(listed):
            warnings.warn(
                f"{self.root}: split {split}: {len(listed) - len(self.ids)} of {len(listed)} frames left out because "
                f"they cannot be read; {INDEX_NAME} says why",
                stacklevel=2,
            )
        first = self.folder / "velodyne" / f"{self.ids[0]}.bin" if self.ids else None
        if first is not None and first.is_file():
            check_columns(first)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, frame_id: str, labels: bool = True) -> Frame:
        """One frame. Without ``labels`` its label file is not opened, and it has no boxes.

        ``meta`` holds ``image_size`` (width, height) and, for each box of a labelled frame, ``truncated``,
        ``occluded``, ``bbox`` (M, 4) in pixels and ``difficulty`` (0 easy, 1 moderate, 2 hard, -1 none); also
        ``obstacles`` (K, 7), the boxes of other classes, and ``plane`` (4,), the ground in the camera frame, or None.

        Raises:
            DataError: a file of the frame is missing or faulty; names it and says what to do.
        """
        calib = self.calibration(frame_id)
        size = self.image_size(frame_id)
        points = self._points(frame_id)
        if self.camera_view:
            points = points[calib.in_view(points, size)]
        if not labels:
            return Frame(frame_id, points, calib=calib, meta={"image_size": size})
        everything = self.objects(frame_id)
        objects = everything.take(self._is_ground_truth(everything.names, frame_id))
        others = everything.take(~np.isin(everything.names, [*self.classes, DONT_CARE]))
        meta = {
            "image_size": size,
            "obstacles": calib.boxes_to_lidar(others),
            "plane": read_plane(self.folder / "planes" / f"{frame_id}.txt"),
            "truncated": objects.truncated,
            "occluded": objects.occluded,
            "bbox": objects.bbox,
            "difficulty": difficulty(objects),
        }
        return Frame(frame_id, points, calib.boxes_to_lidar(objects), objects.names, calib, meta)

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]:
        """See :meth:`kecor.datasets.base.Dataset.read_labels`."""
        objects = self._ground_truth(frame_id)
        return self.calibration(frame_id).boxes_to_lidar(objects), objects.names

    def is_labelled(self, frame_id: str) -> bool:
        """Whether the frame has a label file; one that the index calls faulty counts once it was corrected."""
        if frame_id in self._index.labels_faulty:
            try:
                self.objects(frame_id)
            except DataError:
                return False
        return (self.folder / "label_2" / f"{frame_id}.txt").is_file()

    def written_boxes(self, frame_id: str) -> np.ndarray:
        """(M, 7) float64 boxes of :meth:`read` with headings as written."""
        return written_boxes(self._ground_truth(frame_id), self.calibration(frame_id))

    def other_boxes(self, frame_id: str) -> dict[str, np.ndarray]:
        """The boxes of a frame if they were written in the LiDAR frame."""
        return {LIDAR_FRAME: lidar_boxes(self._ground_truth(frame_id))}

    def all_names(self, frame_id: str) -> list[str]:
        """The class names in the label file but for ``DontCare``."""
        return [name for name in self.objects(frame_id).names.tolist() if name != DONT_CARE]

    def suspicions(self, frame_ids: Sequence[str]) -> list[str]:
        """Warns of an assumed image size that the calibration contradicts."""
        assumed = [frame_id for frame_id in frame_ids if self._image_sizes.assumed(frame_id)]
        paths = ((frame_id, self.folder / "calib" / f"{frame_id}.txt") for frame_id in assumed)
        found = (image_size_warning(self.calibration(frame_id), str(path)) for frame_id, path in paths)
        return [warning for warning in found if warning][:1]

    def sequence(self, frame_id: str) -> None:
        """The layout does not say which drive a frame belongs to."""

    def timestamp(self, frame_id: str) -> None:
        """The layout has no time stamps."""

    def objects(self, frame_id: str) -> KittiObjects:
        """All rows of the frame's label file, ``DontCare`` included.

        Raises:
            DataError: the file is missing or faulty.
        """
        path = self.folder / "label_2" / f"{frame_id}.txt"
        objects = read_objects(path)
        bad = without_size(objects)
        if bad.any() and frame_id not in self._index.objects_dropped:
            row = int(np.flatnonzero(bad)[0])
            sizes = objects.dimensions[row].tolist()
            raise DataError(
                f"{path}: object {row + 1} ({objects.names[row]}) has height, width, length {sizes}; "
                f"{command(self.root)} lists every fault and has such objects dropped"
            )
        return objects.take(~bad)

    def calibration(self, frame_id: str) -> Calibration:
        """The frame's calibration. Raises DataError where its file is missing or faulty."""
        return read_calibration(self.folder / "calib" / f"{frame_id}.txt")

    def image_size(self, frame_id: str) -> tuple[int, int]:
        """(width, height) in pixels: of ``image_sizes.csv``, else of the image itself, else 1242 x 375."""
        return self._image_sizes(frame_id)

    def _ground_truth(self, frame_id: str) -> KittiObjects:
        """The objects of our classes."""
        objects = self.objects(frame_id)
        return objects.take(self._is_ground_truth(objects.names, frame_id))

    def _is_ground_truth(self, names: np.ndarray, frame_id: str) -> np.ndarray:
        """(M,) mask of the objects of our classes. Raises DataError where one differs from a class by case alone."""
        spelt = {name.lower(): name for name in self.classes}
        for name in sorted(set(names.tolist()) - set(self.classes)):
            if name.lower() in spelt:
                raise DataError(
                    f"{self.folder / 'label_2' / frame_id}.txt: no object of class {spelt[name.lower()]!r}, but "
                    f"{name!r}; spell it the same in data.classes and in the label files"
                )
        return np.isin(names, self.classes)

    def _points(self, frame_id: str) -> np.ndarray:
        path = self.folder / "velodyne" / f"{frame_id}.bin"
        points = read_points(path)
        bad = not_finite(points)
        if not bad.any():
            return points
        if frame_id not in self._index.points_dropped:
            raise DataError(
                f"{path}: {bad.sum()} of {len(points)} points are not finite; "
                f"{command(self.root)} lists every fault and has such points dropped"
            )
        return points[~bad]
