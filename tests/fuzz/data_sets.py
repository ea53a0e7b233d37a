"""Data sets and point clouds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open3d

from kecor.datasets.clouds import read_cloud
from kecor.datasets.custom import CustomDataset, write_custom_set
from kecor.datasets.custom.check import check_set
from kecor.datasets.kitti.check import check_dataset
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.datasets.nuscenes.dataset import NuscenesDataset
from kecor.datasets.nuscenes.devkit import _load
from kecor.datasets.waymo import read_v1, read_v2
from kecor.datasets.waymo.convert import convert
from kecor.datasets.waymo.dataset import WaymoDataset
from kecor.datasets.waymo.range_images import frame_points
from kecor.tfrecord import read_records, write_records
from tests.datasets.clouds.test_reading import cloud, open3d_cloud
from tests.datasets.custom.worlds import sites
from tests.datasets.nuscenes.world import VERSION, mount, scene
from tests.datasets.small_set import write_set
from tests.datasets.waymo.segment import write_v1, write_v2


def _read_all(dataset) -> None:
    for frame_id in dataset.ids:
        dataset.sequence(frame_id), dataset.timestamp(frame_id)
        dataset.read(frame_id, labels=dataset.is_labelled(frame_id))


def _kitti(folder: Path) -> None:
    check_dataset(folder, progress=False)
    _read_all(KittiDataset(folder, "train", ["Car", "Pedestrian"]))


def _write_custom(folder: Path) -> None:
    frames = sites(3)
    ids = [frame.frame_id for frame in frames]
    poses, times = (dict.fromkeys(ids, value) for value in (np.eye(4), 1.5e9))
    write_custom_set(folder, frames, {"train": ids[:2], "val": ids[2:]}, "pcd", poses=poses, timestamps=times)


def _custom(folder: Path) -> None:
    check_set(folder, progress=False)
    _read_all(CustomDataset(folder, "train", ["Car", "Walker"]))


def _write_nuscenes(folder: Path) -> None:
    from kecor.datasets.nuscenes.writing import write_nuscenes

    write_nuscenes(folder, VERSION, [scene("scene-0061", 2, 2), scene("scene-0103", 1)], mount())


def _nuscenes(folder: Path) -> None:
    _load.cache_clear()
    _read_all(NuscenesDataset(folder, "mini_train", ["car", "pedestrian"], version=VERSION))


def _write_record(folder: Path) -> None:
    path = write_v1(folder, count=1)
    (folder / "record").write_bytes(next(iter(read_records(path))))
    shutil.rmtree(path.parent)


def _raw_v1(path: Path) -> None:
    for _, frame in read_v1(path):
        frame_points(frame)


def _waymo_record(folder: Path) -> None:
    """The record in a file whose checksums are right."""
    path = folder.with_name("segment-1_with_camera_labels.tfrecord")
    write_records(path, [(folder / "record").read_bytes()])
    _raw_v1(path)


def _waymo_v2(folder: Path) -> None:
    for _, frame in read_v2(next((folder / "training" / "lidar").glob("*.parquet"))):
        frame_points(frame)


def _converted(layout: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        raw = folder.with_name(f"raw_{layout}")
        write_v1(raw, count=2)
        convert(raw, folder, layout, workers=1, progress=False)

    return make


def _waymo(folder: Path) -> None:
    _read_all(WaymoDataset(folder, "train", ["Vehicle", "Pedestrian"]))


def _write_clouds(folder: Path) -> None:
    points = cloud(60)
    points.tofile(folder / "a.bin")
    np.save(folder / "b.npy", points)
    ring = np.arange(60, dtype=np.uint16)
    for name in ("ascii.pcd", "binary.pcd", "compressed.pcd", "ascii.ply", "binary.ply"):
        options = {"write_ascii": name.startswith("ascii"), "compressed": name.startswith("compressed")}
        open3d.t.io.write_point_cloud(str(folder / name), open3d_cloud(points, ring), **options)


def _write_las(folder: Path) -> None:
    import laspy

    made = laspy.LasData(laspy.LasHeader(point_format=3, version="1.2"))
    made.header.scales = [0.001] * 3
    made.x, made.y, made.z, made.intensity = cloud(60).T * [[1], [1], [1], [100]]
    made.write(folder / "a.las")


def _clouds(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        read_cloud(path)


READERS = {
    "kitti": (write_set, _kitti),
    "custom": (_write_custom, _custom),
    "nuscenes tables, sweeps": (_write_nuscenes, _nuscenes),
    "waymo tfrecord": (lambda folder: write_v1(folder, count=1), lambda folder: _raw_v1(next(folder.rglob("*.tf*")))),
    "waymo record": (_write_record, _waymo_record),
    "waymo parquet": (lambda folder: write_v2(folder, count=1), _waymo_v2),
    "waymo converted": (_converted("kecor"), _waymo),
    "waymo of OpenPCDet": (_converted("openpcdet"), _waymo),
    "clouds: bin npy pcd ply": (_write_clouds, _clouds),
    "clouds: las": (_write_las, _clouds),
}
