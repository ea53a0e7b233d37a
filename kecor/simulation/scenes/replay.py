"""Scenes whose objects are those of real label files."""

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
    """A folder of label files with its calibration and image sizes.

    Attributes:
        labels: the folder of label files.
        calib: the folder of calib files, its sibling.
        ids: the frames to replay, in order.
        sizes: frame id -> (width, height) where a list says so.
    """

    labels: Path
    calib: Path
    ids: list[str]
    sizes: dict[str, tuple[int, int]]

    def objects(self, frame_id: str) -> KittiObjects:
        """The lines of one label file without those whose box has no size. Raises DataError for a faulty file."""
        real = read_objects(self.labels / f"{frame_id}.txt")
        return real.take((real.names == DONT_CARE) | (real.dimensions > 0).all(1))

    def calibration(self, frame_id: str) -> Calibration:
        """The frame's calibration. Raises DataError for a missing or faulty file."""
        return read_calibration(self.calib / f"{frame_id}.txt")

    def image_size(self, frame_id: str) -> tuple[int, int]:
        """(width, height) in pixels, 1242 x 375 where no list says otherwise."""
        return self.sizes.get(frame_id, DEFAULT_IMAGE_SIZE)


def find_layouts(folder: str | Path, frames: int, seed: int) -> Layouts:
    """The first ``frames`` of a seeded shuffle of the label files in ``folder``, a KITTI ``label_2``.

    Image sizes come from ``image_sizes.csv`` in the folder above or the one above that, if there is one.

    Raises:
        DataError: no such folder, no ``calib`` folder beside it, or fewer label files than ``frames``.
    """
    labels = Path(folder)
    if not labels.is_dir():
        raise DataError(f"{labels}: no such folder; --layouts names a folder of KITTI label files (label_2)")
    calib = labels.resolve().parent / "calib"
    if not calib.is_dir():
        raise DataError(f"{calib}: no such folder; label files are replayed with the calib folder beside them")
    ids = sorted(path.stem for path in labels.glob("*.txt"))
    if len(ids) < frames:
        raise DataError(f"{labels}: holds {len(ids)} label files, {frames} frames were asked for")
    chosen = [ids[i] for i in np.random.default_rng(seed).permutation(len(ids))[:frames]]
    lists = [parent / SIZES_NAME for parent in labels.resolve().parents[:2] if (parent / SIZES_NAME).is_file()]
    return Layouts(labels, calib, chosen, read_image_sizes(lists[0]) if lists else {})


def replayed_scene(objects: KittiObjects, calib: Calibration, rng: np.random.Generator, full_sweep: bool) -> Scene:
    """A scene with objects at exactly the boxes of ``objects`` (no DontCare among them) and random surroundings.

    The ground runs under the boxes. Nothing stands in a box or in the line of sight to one, so what hides an object
    is another object; a road lies ahead, and beside it houses, plants and poles.
    """
    boxes = calib.boxes_to_lidar(objects).astype(np.float64)
    feet = boxes[:, :3] - boxes[:, 5:6] / 2 * [0, 0, 1]
    site = Site(fitted_ground(feet), names=objects.names.tolist(), boxes=list(boxes), guarded=True)
    site.taken.extend(boxes)
    road = Road(rng.normal(scale=0.03), 0.0, rng.uniform(-2, 0))
    edge, built = rng.uniform(3.5, 7), rng.uniform(0, 1)
    setback = rng.uniform(1, 4)
    for span in spans(rng, full_sweep):
        surroundings.line_road(site, road, rng, span, edge + setback, built)
        surroundings.close_view(site, road, rng, span, edge + setback, built)
        for make, mean in ((clutter.pole, 2), (clutter.furniture, 1.5), (clutter.tree, 1), (clutter.bush, 1)):
            surroundings.strew(site, road, rng, span, (edge + 0.5, edge + setback + 2), make, mean)
    cover = surroundings.ground_cover(road, edge, paved=built > 0.5)
    return finish(site, cover, rng, full_sweep)
