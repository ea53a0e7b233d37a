"""A small made-up segment, written as v1 file or v2 files."""

from pathlib import Path

import numpy as np

from kecor.datasets.waymo.raw import LABEL, Laser, RawFrame
from kecor.simulation.waymo import write_tfrecord

CONTEXT = "123_000_020_000"
CLASSES = ["Vehicle", "Pedestrian", "Cyclist"]


def rotation(roll, pitch, yaw):
    """Rz(yaw) Ry(pitch) Rx(roll), written out matrix by matrix."""
    cx, sx, cy, sy, cz, sz = *_cs(roll), *_cs(pitch), *_cs(yaw)
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return rz @ ry @ rx


def _cs(angle):
    return np.cos(angle), np.sin(angle)


def transform(angles, place):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(*angles), place
    return matrix


def range_image(rng, height, width):
    image = rng.random((height, width, 4)).astype(np.float32)
    image[..., 0] = rng.uniform(1, 70, (height, width))
    image[rng.random((height, width)) < 0.2, 0] = -1
    image[rng.random((height, width)) < 0.1, 0] = 0
    image[..., 3] = rng.choice([-1, 1], (height, width), p=[0.8, 0.2])
    return image


def lasers(rng, pose):
    top = Laser(
        name=1,
        extrinsic=transform((0.01, -0.02, 2.5), (1.4, 0.1, 2.2)),
        inclinations=np.deg2rad([2.4, 1.0, 0.2, -1.0, -3.0, -6.5, -11.0, -17.6]),
        returns=[range_image(rng, 8, 36), range_image(rng, 8, 36)],
        pixel_pose=np.concatenate(
            [rng.normal(scale=0.02, size=(8, 36, 3)), pose[:3, 3] + rng.normal(size=(8, 36, 3))], axis=2
        ).astype(np.float32),
    )
    rest = [
        Laser(k, transform((0, 0, k), (2, k - 3.5, 1)), np.linspace(0.5, -1.5, 4), [range_image(rng, 4, 12)])
        for k in (5, 3)
    ]
    return [rest[0], top, rest[1]]


def labels(number):
    rows = np.zeros(5, LABEL)
    rows["type"] = [1, 2, 3, 4, 1]
    rows["box"] = [[10 + number, 2 * i, 0.5, 4.5, 2.0, 1.5 + i / 10, 0.3 * i] for i in range(5)]
    rows["id"] = [b"a", b"b", b"c", b"d", b"e"]
    rows["n_points"], rows["n_top_points"] = [9, 5, 6, 7, 0], [8, 5, 6, 7, 0]
    rows["difficulty"] = [0, 2, 0, 1, 0]
    rows["speed"][:, 0] = 3.0
    return rows


def frames(count=4, seed=0):
    rng = np.random.default_rng(seed)
    for number in range(count):
        pose = transform((0.01, 0.02, 1.0), (100 + number, -50, 3))
        zone = np.array([[10.0, 0], [20, 0], [20, 30]]) + number
        yield RawFrame(CONTEXT, 10**15 + number * 10**5, pose, lasers(rng, pose), labels(number), [zone])


def write_v1(raw: Path, folder="training", context=CONTEXT, **settings) -> Path:
    path = raw / folder / f"segment-{context}_with_camera_labels.tfrecord"
    write_tfrecord(path, frames(**settings))
    return path


def write_v2(raw: Path, folder="training", **settings) -> Path:
    """The same segment as Parquet; returns the path of its ``lidar`` file."""
    tables = {name: [] for name in ("lidar", "lidar_pose", "lidar_calibration", "vehicle_pose", "lidar_box")}
    for frame in frames(**settings):
        key = {"key.segment_context_name": frame.segment, "key.frame_timestamp_micros": frame.timestamp}
        pose = {"[VehiclePoseComponent].world_from_vehicle.transform": frame.pose.ravel().tolist()}
        tables["vehicle_pose"].append({**key, **pose})
        for laser in frame.lasers:
            tables["lidar"].append({**key, "key.laser_name": laser.name, **_returns(laser)})
            if laser.pixel_pose is not None:
                row = _image("[LiDARPoseComponent].range_image_return1", laser.pixel_pose)
                tables["lidar_pose"].append({**key, "key.laser_name": laser.name, **row})
            if frame.timestamp == 10**15:
                tables["lidar_calibration"].append(_calibration(laser))
        tables["lidar_box"].extend({**key, **_box(label)} for label in frame.labels)
    for name, rows in tables.items():
        _write(raw / folder / name / f"{CONTEXT}.parquet", rows)
    return raw / folder / "lidar" / f"{CONTEXT}.parquet"


def _write(path, rows):
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _image(name, image):
    return {f"{name}.values": image.astype(float).ravel().tolist(), f"{name}.shape": list(image.shape)}


def _returns(laser):
    names = [f"[LiDARComponent].range_image_return{k}" for k in (1, 2)]
    empty = {f"{names[1]}.values": None, f"{names[1]}.shape": None}
    return {**empty, **{k: v for name, image in zip(names, laser.returns) for k, v in _image(name, image).items()}}


def _calibration(laser):
    name = "[LiDARCalibrationComponent]"
    return {
        "key.laser_name": laser.name,
        f"{name}.extrinsic.transform": laser.extrinsic.ravel().tolist(),
        f"{name}.beam_inclination.min": float(laser.inclinations[-1]),
        f"{name}.beam_inclination.max": float(laser.inclinations[0]),
        f"{name}.beam_inclination.values": laser.inclinations[::-1].tolist(),
    }


def _box(label):
    values = dict(zip((f"box.{p}.{a}" for p in ("center", "size") for a in "xyz"), label["box"].tolist()))
    values.update(zip((f"speed.{a}" for a in "xyz"), label["speed"].tolist()))
    values.update(zip((f"acceleration.{a}" for a in "xyz"), label["acceleration"].tolist()))
    values["box.heading"], values["type"] = float(label["box"][6]), int(label["type"])
    values["num_lidar_points_in_box"] = int(label["n_points"])
    values["num_top_lidar_points_in_box"] = int(label["n_top_points"])
    values["difficulty_level.detection"] = int(label["difficulty"]) or None
    values["difficulty_level.tracking"] = int(label["tracking_difficulty"])
    named = {f"[LiDARBoxComponent].{key}": value for key, value in values.items()}
    return {"key.laser_object_id": label["id"].decode(), **named}
