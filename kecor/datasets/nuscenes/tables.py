"""The devkit's tables with errors that name the table, and without the records of cameras and radars."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nuscenes import NuScenes

from kecor.datasets.nuscenes.devkit import CHANNEL
from kecor.errors import DataError
from kecor.files import read_json

POSE = {"translation", "rotation"}
LINKS = {"prev", "next"}
FIELDS: dict[str, set[str]] = {
    "category": {"name"},
    "attribute": {"name"},
    "visibility": {"level"},
    "instance": {"category_token"},
    "sensor": {"channel", "modality"},
    "calibrated_sensor": {"sensor_token", *POSE},
    "ego_pose": {"timestamp", *POSE},
    "log": {"location"},
    "scene": {"name", "first_sample_token"},
    "sample": {"timestamp", "scene_token", *LINKS},
    "sample_data": {
        *("sample_token", "ego_pose_token", "calibrated_sensor_token", "filename", "is_key_frame", "timestamp"),
        *LINKS,
    },
    "sample_annotation": {
        *("sample_token", "instance_token", "attribute_tokens", "size", "num_lidar_pts", "num_radar_pts"),
        *(POSE | LINKS),
    },
    "map": {"filename", "log_tokens"},
}
"""Fields that are read, beside ``token`` (nuscenes-devkit, docs/schema_nuscenes.md)."""

REPAIR = "unpack the metadata archive of this version again"


class Tables(NuScenes):
    """The tables of one version. Of ``sample_data`` and ``ego_pose`` only the LiDAR's records are kept: the rest is
    nine tenths of the memory.

    Args:
        root: folder that holds ``version``, ``samples`` and ``sweeps``.
        version: folder of the tables, such as ``v1.0-trainval``.

    Raises:
        DataError: the folder, a table or the picture of a map is missing; or a table is no JSON list of records with
            the fields of :data:`FIELDS`, or refers to a record that does not exist.
    """

    ego_pose: list[dict[str, Any]]

    def __init__(self, root: Path, version: str) -> None:
        folder = root / version
        if not folder.is_dir():
            there = ", ".join(sorted(path.parent.name for path in root.glob("*/sample.json"))) or "none"
            raise DataError(f"{folder}: no such folder of tables; versions there: {there}")
        try:
            super().__init__(version=version, dataroot=str(root), verbose=False)
        except (KeyError, IndexError, TypeError, AssertionError) as error:
            raise DataError(f"{folder}: the tables do not fit together ({error!r}); {REPAIR}") from error

    def __load_table__(self, name: str) -> list[dict[str, Any]]:
        path = Path(self.table_root) / f"{name}.json"
        if not path.is_file() and name in FIELDS:
            raise DataError(f"{path}: no such table; {REPAIR}")
        records = read_json(path)
        _check(records, name, path)
        if name == "sample_data":
            records = self._of_lidar(records)
        if name == "map":
            for record in records:
                picture = Path(self.dataroot) / record["filename"]
                if not picture.is_file():
                    raise DataError(f"{picture}: no such picture, named by {path}; {REPAIR}")
        return records

    def _of_lidar(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        sensors = {sensor["token"] for sensor in self.sensor if sensor["channel"] == CHANNEL}
        mounted = {c["token"] for c in self.calibrated_sensor if c["sensor_token"] in sensors}
        records = [record for record in records if record["calibrated_sensor_token"] in mounted]
        poses = {record["ego_pose_token"] for record in records}
        self.ego_pose = [pose for pose in self.ego_pose if pose["token"] in poses]
        return records

    def getind(self, table_name: str, token: str) -> int:
        """Row of a record.

        Raises:
            DataError: the table has no such record.
        """
        try:
            return self._token2ind[table_name][token]
        except (KeyError, TypeError) as error:
            path = Path(self.table_root) / f"{table_name}.json"
            raise DataError(f"{path}: holds no record with the token {token!r}") from error

    def key_frame(self, sample_token: str) -> dict[str, Any]:
        """The ``sample_data`` record of a sample's LiDAR sweep.

        Raises:
            DataError: the sample is unknown or has none.
        """
        data = self.get("sample", sample_token)["data"]
        if CHANNEL not in data:
            path = Path(self.table_root) / "sample_data.json"
            raise DataError(f"{path}: sample {sample_token} has no key frame of {CHANNEL}; {REPAIR}")
        return self.get("sample_data", data[CHANNEL])


def _check(records: Any, name: str, path: Path) -> None:
    if not isinstance(records, list):
        raise DataError(f"{path}: is no list of records; {REPAIR}")
    fields = FIELDS.get(name, set()) | {"token"}
    for row, record in enumerate(records):
        missing = fields - record.keys() if isinstance(record, dict) else fields
        if missing:
            raise DataError(f"{path}: record {row} lacks {', '.join(sorted(missing))}; {REPAIR}")
        if name == "sample" and not re.fullmatch(r"[\w-]+", str(record["token"])):
            raise DataError(f"{path}: record {row}: the token {record['token']!r} is not of letters and digits")
