"""What nuscenes-devkit supplies, imported when it is first needed: the tables and the split lists."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kecor.errors import DataError, KecorError
from kecor.files import read_json

if TYPE_CHECKING:
    from kecor.datasets.nuscenes.tables import Tables

INSTALL = "pip install --no-deps -r requirements/nuscenes.txt"
CHANNEL = "LIDAR_TOP"
SPLITS = "splits.json"
"""File beside the tables that defines splits: a JSON object, split name -> list of scene names."""
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
    """Names of the scenes of a split.

    A split listed in ``splits.json`` beside the tables takes precedence over the official split of the same name.

    Raises:
        DataError: there is no such split, it belongs to another version, or ``splits.json`` is faulty.
    """
    from nuscenes.utils.splits import create_splits_scenes

    own, official = read_splits(tables), create_splits_scenes()
    if split in own:
        return own[split]
    path = Path(tables.table_root) / SPLITS
    if split not in official:
        known = ", ".join([*own, *official])
        raise DataError(f"{tables.table_root}: unknown split {split!r}; expected one of: {known}; {path} can define it")
    ending = VERSION_OF.get(split, "trainval")
    if not tables.version.endswith(ending):
        raise DataError(
            f"{tables.table_root}: split {split!r} belongs to version v1.0-{ending}, not {tables.version}; "
            f"{path} can define it"
        )
    return official[split]


def read_splits(tables: Tables) -> dict[str, list[str]]:
    """Split -> names of its scenes, of ``splits.json`` beside the tables; empty without that file.

    Raises:
        DataError: the file holds something else, or names a scene that the tables do not hold.
    """
    path = Path(tables.table_root) / SPLITS
    if not path.exists():
        return {}
    splits, known = read_json(path), {scene["name"] for scene in tables.scene}
    if not isinstance(splits, dict) or not all(isinstance(names, list) for names in splits.values()):
        raise DataError(f'{path}: expected lists of scene names, such as {{"train": ["scene-0061"]}}')
    for split, names in splits.items():
        for name in names:
            if name not in known:
                raise DataError(f"{path}: split {split!r}: the tables hold no scene {name!r}")
    return splits


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
