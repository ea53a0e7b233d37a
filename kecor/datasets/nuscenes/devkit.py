"""What nuscenes-devkit supplies, imported when it is first needed: the tables and the split lists."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kecor.errors import DataError, KecorError

if TYPE_CHECKING:
    from kecor.datasets.nuscenes.tables import Tables

INSTALL = "pip install --no-deps -r requirements/nuscenes.txt"
CHANNEL = "LIDAR_TOP"
VERSION_OF = {"test": "test", "mini_train": "mini", "mini_val": "mini"}
"""End of the version's name that an official split belongs to; all others belong to ``trainval``."""


def require_devkit() -> None:
    """Import the devkit.

    Raises:
        KecorError: it is not installed or does not import; says how to install it.
    """
    try:
        import nuscenes.eval.detection.evaluate  # noqa: F401
    except ImportError as error:
        raise KecorError(f"nuScenes needs nuscenes-devkit ({error}); install it with: {INSTALL}") from error


def load_tables(root: str | Path, version: str) -> Tables:
    """The tables in ``root/version``, read once a process.

    Raises:
        KecorError: nuscenes-devkit is not installed.
        DataError: the folder or a table is missing or damaged.
    """
    require_devkit()
    return _load(Path(root).resolve(), version)


@lru_cache(maxsize=2)
def _load(root: Path, version: str) -> Tables:
    from kecor.datasets.nuscenes.tables import Tables

    return Tables(root, version)


def scene_names(tables: Tables, split: str) -> list[str]:
    """Names of the scenes of an official split, or of one listed in ``splits.json`` beside the tables.

    Raises:
        DataError: there is no such split, or it belongs to another version.
    """
    from nuscenes.utils.splits import create_splits_scenes, get_scenes_of_custom_split

    official = create_splits_scenes()
    if split not in official:
        try:
            return get_scenes_of_custom_split(split, tables)
        except (ValueError, AssertionError, AttributeError) as error:
            known = ", ".join(official)
            raise DataError(f"{tables.table_root}: split {split!r} is none of {known}; {error}") from error
    ending = VERSION_OF.get(split, "trainval")
    if not tables.version.endswith(ending):
        raise DataError(f"{tables.table_root}: split {split!r} belongs to version v1.0-{ending}, not {tables.version}")
    return official[split]


def sample_tokens(tables: Tables, split: str) -> list[str]:
    """Tokens of the key frames of a split, scene by scene in the order of their names, then by time.

    Raises:
        DataError: there is no such split, or the tables hold none of its scenes.
    """
    wanted = set(scene_names(tables, split))
    scenes = {scene["token"]: scene["name"] for scene in tables.scene if scene["name"] in wanted}
    samples = [sample for sample in tables.sample if sample["scene_token"] in scenes]
    if not samples:
        raise DataError(f"{tables.table_root}: holds no sample of split {split!r}; {len(tables.scene)} other scenes")
    samples.sort(key=lambda sample: (scenes[sample["scene_token"]], sample["timestamp"]))
    return [sample["token"] for sample in samples]
