"""Scenes with the objects of real label files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kecor.datasets.kitti.calibration import Calibration, read_calibration
from kecor.datasets.kitti.images import DEFAULT_IMAGE_SIZE, SIZES_NAME, read_image_sizes
from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects, read_objects
from kecor.errors import DataError
from kecor.simulation.objects import clutter
from kecor.simulation.scenes.ground import fitted_ground
from kecor.simulation.scenes.scene import Scene, finish, spans, surroundings
from kecor.simulation.scenes.site import Road, Site


@dataclass(frozen=True)
class Layouts:
    """A folder of label files with their calibration and image sizes.

    Attributes:
        labels: the folder of label files.
        calib: the folder of calibration files next to it.
        ids: ids of the frames to replay, in order.
        sizes: frame id -> (width, height), for the frames listed in an image size file.
    """

    labels: Path
    calib: Path
    ids: list[str]
    sizes: dict[str, tuple[int, int]]

    def objects(self, frame_id: str) -> KittiObjects:
        """The lines of one label file, without boxes of size zero. Raises DataError for an invalid file."""
        real = read_objects(self.labels / f"{frame_id}.txt")
        return real.take((real.names == DONT_CARE) | (real.dimensions > 0).all(1))

    def calibration(self, frame_id: str) -> Calibration:
        """The calibration of a frame. Raises DataError for a missing or invalid file."""
        return read_calibration(self.calib / f"{frame_id}.txt")

    def image_size(self, frame_id: str) -> tuple[int, int]:
        """(width, height) in pixels; 1242 x 375 if the frame is not in the list."""
        return self.sizes.get(frame_id, DEFAULT_IMAGE_SIZE)


def find_layouts(folder: str | Path, frames: int, seed: int) -> Layouts:
    """A random choice of ``frames`` label files from ``folder``, a KITTI ``label_2`` folder.

    Image sizes are read from ``image_sizes.csv`` one or two folders above, if it exists.

    Raises:
        DataError: the folder or the ``calib`` folder next to it does not exist, or has fewer than ``frames`` labels.
    """
    labels = Path(folder)
    if not labels.is_dir():
        raise DataError(f"{labels}: no such folder; --layouts names a folder of KITTI label files (label_2)")
    calib = labels.resolve().parent / "calib"
    if not calib.is_dir():
        raise DataError(f"{calib}: no such folder; replaying label files needs the calib folder beside them")
    ids = sorted(path.stem for path in labels.glob("*.txt"))
    if len(ids) < frames:
        raise DataError(f"{labels}: contains {len(ids)} label files, but --frames asks for {frames}")
    chosen = [ids[i] for i in np.random.default_rng(seed).permutation(len(ids))[:frames]]
    lists = [parent / SIZES_NAME for parent in labels.resolve().parents[:2] if (parent / SIZES_NAME).is_file()]
    return Layouts(labels, calib, chosen, read_image_sizes(lists[0]) if lists else {})


def replayed_scene(objects: KittiObjects, calib: Calibration, rng: np.random.Generator, full_sweep: bool) -> Scene:
    """A scene with the objects of a label file at exactly their boxes, and random surroundings.

    The ground passes under the boxes. A road leads ahead, with houses, plants and poles beside it. No clutter stands
    in a box or in the line of sight to one, so objects are only occluded by other objects.

    Args:
        objects: label lines without DontCare.
        calib: calibration of the frame.
        rng: source of the surroundings.
        full_sweep: whether to also build the surroundings behind the sensor.
    """
    boxes = calib.boxes_to_lidar(objects).astype(np.float64)
    feet = boxes[:, :3] - boxes[:, 5:6] / 2 * [0, 0, 1]
    site = Site(fitted_ground(feet), names=objects.names.tolist(), boxes=list(boxes), keep_visible=True)
    site.taken.extend(boxes)
    road = Road(rng.normal(scale=0.03), 0.0, rng.uniform(-2, 0))
    edge, built = rng.uniform(3.5, 7), rng.uniform(0, 1)
    setback = rng.uniform(1, 4)
    for span in spans(rng, full_sweep):
        surroundings.line_road(site, road, rng, span, edge + setback, built)
        surroundings.close_view(site, road, rng, span, edge + setback, built)
        for make, mean in ((clutter.pole, 2), (clutter.furniture, 1.5), (clutter.tree, 1), (clutter.bush, 1)):
            surroundings.scatter_along(site, road, rng, span, (edge + 0.5, edge + setback + 2), make, mean)
    cover = surroundings.ground_cover(road, edge, paved=built > 0.5)
    return finish(site, cover, rng, full_sweep)
