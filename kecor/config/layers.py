"""Config files and their bases: layers of plain values, merged from the base upwards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kecor
from kecor.config.yaml_text import parse_yaml
from kecor.errors import ConfigError, DataError
from kecor.files import read_text

BASE, DELETE = "_base_", "_delete_"
MAX_BYTES = 1 << 20
SUFFIXES = (".yaml", ".yml")
PACKAGE = Path(kecor.__file__).parent
SHIPPED = next((p for p in (PACKAGE / "configs", PACKAGE.parent / "configs") if p.is_dir()), PACKAGE / "configs")
"""The configs that come with the package: inside it when it is installed, beside it in a checkout."""

Values = dict[str, Any]


def find_config(path: str | Path, folder: Path = Path()) -> Path:
    """The file ``path``, relative to ``folder``, or else the shipped config of that name.

    Raises:
        ConfigError: there is neither, or it is no YAML file.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path}: is no YAML file; a config ends in {' or '.join(SUFFIXES)}")
    here = folder / path
    shipped = SHIPPED.joinpath(*path.parts[path.parts[:1] == ("configs",) :])
    for candidate in (here, shipped):
        if candidate.is_file():
            return candidate
    raise ConfigError(f"{here}: no such config file")


def read_layers(path: Path, chain: tuple[Path, ...] = ()) -> list[Values]:
    """The values of a config file after those of the files it names in ``_base_``.

    ``_base_`` is a path or a list of paths, relative to the file that names them; later ones win.

    Raises:
        ConfigError: a file is missing, no YAML, empty, no section of keys, or its own base.
    """
    where = str(path)
    if path.resolve() in chain:
        raise ConfigError(f"{where}: is its own {BASE}: {' -> '.join(p.name for p in (*chain, path))}")
    try:
        values = parse_yaml(read_text(path, MAX_BYTES), where)
    except DataError as error:
        raise ConfigError(str(error)) from error
    if not isinstance(values, dict):
        what = "is empty" if values is None else f"holds a {type(values).__name__}"
        raise ConfigError(f"{where}: {what}; expected sections such as data, detector and schedule")
    bases = values.pop(BASE, [])
    names = [bases] if isinstance(bases, str) else bases
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{where}: {BASE}: got {bases!r}; expected the path of a config file or a list of paths")
    layers: list[Values] = []
    for name in names:
        try:
            base = find_config(name, path.parent)
        except ConfigError as error:
            raise ConfigError(f"{where}: {BASE}: {error}") from error
        layers += read_layers(base, (*chain, path.resolve()))
    return [*layers, values]


def merge(lower: Values, upper: Values) -> Values:
    """``lower`` with what ``upper`` says, section by section.

    A section of ``upper`` whose ``type`` differs replaces the one below it, unless it says ``_delete_: false``; so does
    one that says ``_delete_: true``.
    """
    merged = {**lower, **upper}
    for key, above in upper.items():
        if not isinstance(above, dict):
            continue
        below = lower.get(key)
        other = isinstance(below, dict) and above.get("type") not in (None, below.get("type"))
        kept = below if isinstance(below, dict) and not above.get(DELETE, other) else {}
        merged[key] = merge(kept, {name: value for name, value in above.items() if name != DELETE})
    return merged


def merge_all(layers: Iterable[Values]) -> Values:
    """All layers merged, the first at the bottom, without what belongs to classes that the top no longer lists."""
    merged: Values = {}
    listed: set[str] = set()
    for layer in layers:
        merged = merge(merged, layer)
        listed |= listed_classes(layer)
    return drop_classes(merged, listed - listed_classes(merged))


def drop_classes(values: Values, removed: set[str]) -> Values:
    """``values`` without the anchors, counts and overlaps of the ``removed`` classes, so that ``data.classes`` is the
    only key to change when fewer classes are wanted."""
    if not removed:
        return values

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items() if key not in removed}
        if isinstance(value, list):
            return [walk(v) for v in value if not (isinstance(v, dict) and v.get("name") in removed)]
        return value

    kept = {key: walk(value) if key in ("detector", "evaluation") else value for key, value in values.items()}
    if isinstance(data := values.get("data"), dict) and "augmentation" in data:
        kept["data"] = {**data, "augmentation": walk(data["augmentation"])}
    return kept


def listed_classes(layer: Values) -> set[str]:
    """The class names in ``data.classes``."""
    data = layer.get("data")
    classes = data.get("classes") if isinstance(data, dict) else None
    return {name for name in classes if isinstance(name, str)} if isinstance(classes, list) else set()
