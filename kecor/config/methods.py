"""Acquisition methods by name: presets in ``configs/methods``, files of the user's, or registered classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kecor.config.arguments import hint
from kecor.config.imports import import_modules
from kecor.config.layers import SHIPPED, SUFFIXES, find_config, merge_all, read_layers
from kecor.errors import ConfigError
from kecor.registry import ACQUISITIONS

PRESETS = SHIPPED / "methods"


def method_sections(name: str, imports: Sequence[str] = ()) -> dict[str, Any]:
    """The sections ``acquisition`` and, with what the method needs on top of ``imports``, ``custom_imports``.

    Args:
        name: a file of ``configs/methods`` without its suffix; a YAML file with a section ``acquisition`` and perhaps
            ``custom_imports``; or a method registered under that name, which then has its default arguments.
        imports: the config's modules, which may register it.

    Raises:
        ConfigError: there is no such method, or its file holds another section.
    """
    is_file = Path(name).suffix in SUFFIXES
    if not is_file and not (PRESETS / f"{name}.yaml").is_file():
        return {"acquisition": {"type": _registered(name, imports)}, "custom_imports": list(imports)}
    path = find_config(name) if is_file else PRESETS / f"{name}.yaml"
    values = merge_all(read_layers(path))
    section, more = values.pop("acquisition", None), values.pop("custom_imports", None) or []
    if not isinstance(section, dict) or "type" not in section:
        raise ConfigError(f"{path}: acquisition.type is missing: the file of a method names its class there")
    if values:
        raise ConfigError(f"{path}: {min(values)}: the file of a method holds acquisition and custom_imports alone")
    return {"acquisition": section, "custom_imports": list(dict.fromkeys([*imports, *more]))}


def method_names() -> list[str]:
    """Every name that ``--method`` takes: presets and registered methods."""
    ACQUISITIONS.import_from_location()
    return sorted({path.stem for path in PRESETS.glob("*.yaml")} | set(ACQUISITIONS.module_dict))


def _registered(name: str, imports: Sequence[str]) -> str:
    import_modules(imports, "custom_imports")
    known = method_names()
    if name not in known:
        raise ConfigError(f"--method: got {name!r}; {hint(name, known)}")
    return name
