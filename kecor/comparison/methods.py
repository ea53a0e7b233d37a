"""The methods of a comparison: one config per method, identical except for the acquisition function."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kecor.acquisition import build_acquisition
from kecor.active.preflight import checked_budget
from kecor.active.purchase import checked_needs
from kecor.active.state import differences, settings_of
from kecor.config import Config, load_config, parse_config, parse_options, read_values
from kecor.engine.train import check_schedule
from kecor.errors import ConfigError, SelectionError

PRESETS = Path(__file__).parents[2] / "configs" / "_base_" / "acquisition"
SHARED, CONFIGS = "shared", "configs"
"""Folders of a comparison; reserved, so no method may have one of these names."""
METHOD_SECTIONS = ("acquisition", "custom_imports")
"""Sections that the file of a method may set."""


@dataclass(frozen=True)
class Method:
    """A method: its name, which also names its folder, and the config of its runs. Each run sets its own seed."""

    name: str
    config: Config


def load_base(path: Path, options: Sequence[str]) -> Config:
    """Read and check the config that all methods share. The data set itself is not read.

    Raises:
        ConfigError: the config is invalid, or ``options`` set the seed or the acquisition function.
    """
    for option in options:
        section = option.partition("=")[0].split(".")[0]
        if section in ("seed", "acquisition"):
            flag = "--seeds" if section == "seed" else "--methods, which may be YAML files of your own"
            raise ConfigError(f"--cfg-options {option!r}: a comparison takes this from {flag}")
    config = load_config(path, options)
    checked_budget(config)
    check_schedule(config.schedule)
    return config


def load_methods(names: Sequence[str], base: Config, options: Sequence[str]) -> list[Method]:
    """Read the methods called ``names``: presets, which are files in :data:`PRESETS`, or paths to YAML files.

    Every other setting comes from ``base``. ``options`` are the overrides ``base`` was read with; they take precedence
    over the file of a method.

    Raises:
        ConfigError: a method does not exist, two have the same name, or a file is invalid or sets anything else.
    """
    methods: list[Method] = []
    for name in names:
        path = _find(name, PRESETS)
        if path.stem in (SHARED, CONFIGS) or path.stem in [method.name for method in methods]:
            raise ConfigError(f"--methods {name!r}: the name {path.stem!r} is taken; rename the file")
        methods.append(Method(path.stem, _config(path, base, options)))
    return methods


def shared_config(base: Config) -> Config:
    """The config of the shared run: it trains and evaluates round 0 for all methods and buys no labels."""
    active = dataclasses.replace(base.active, rounds=0)
    return dataclasses.replace(base, active=active, acquisition={"type": "random"})


def _find(name: str, presets: Path) -> Path:
    if Path(name).suffix in (".yaml", ".yml") or "/" in name:
        return Path(name)
    path, known = presets / f"{name}.yaml", sorted(p.stem for p in presets.glob("*.yaml"))
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"presets: {', '.join(known)}"
        raise ConfigError(f"--methods: {name!r} is neither a preset in {presets} ({hint}) nor a .yaml file")
    return path


def _config(path: Path, base: Config, options: Sequence[str]) -> Config:
    """``base`` with the acquisition function from ``path``, which may repeat other settings but not change them."""
    where = f"method {path.stem} ({path})"
    values, shared = read_values(path), dataclasses.asdict(base)
    if not values.get("acquisition"):
        raise ConfigError(f"{where}: the section 'acquisition' is missing")
    merged = _merged(_merged(shared, values), parse_options(options, "--cfg-options"))
    merged["acquisition"] = values["acquisition"]
    merged["custom_imports"] = list(dict.fromkeys([*shared["custom_imports"], *(values.get("custom_imports") or [])]))
    merged["seed"] = base.seed
    config = parse_config(merged, where)
    if changes := differences(_shared_settings(base), _shared_settings(config)):
        raise ConfigError(f"{where}: may only set the acquisition function, but also sets: {changes}")
    try:
        checked_needs(build_acquisition(config.acquisition), checked_budget(config), path.stem)
    except (ConfigError, SelectionError) as error:
        raise ConfigError(f"{where}: {error}") from error
    return config


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """``first`` updated with ``second``, recursively."""
    merged = {**first, **second}
    for key in first.keys() & second.keys():
        if isinstance(first[key], dict) and isinstance(second[key], dict):
            merged[key] = _merged(first[key], second[key])
    return merged


def _shared_settings(config: Config) -> dict[str, Any]:
    """The settings that all methods must agree on."""
    return {key: value for key, value in settings_of(config).items() if not key.startswith(METHOD_SECTIONS)}
