"""The methods of a comparison: one config each, which differ in how frames are chosen and in nothing else."""

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
"""Folders of a comparison; no method can be called so."""
OWN = ("acquisition", "custom_imports")
"""Sections that a method's file may set."""


@dataclass(frozen=True)
class Method:
    """A name, which is also that of its folder, and the config of its runs but for the seed."""

    name: str
    config: Config


def load_base(path: Path, options: Sequence[str]) -> Config:
    """The config that all methods share, checked as far as can be without the data set.

    Raises:
        ConfigError: it is wrong, or ``options`` set what a comparison sets itself.
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
    """The methods called ``names``: presets, files of :data:`PRESETS`, or paths of YAML files.

    ``base`` gives every other setting; it was read with ``options``, which come before what a file says.

    Raises:
        ConfigError: no such method, two of one name, a file that is wrong or sets more than its method.
    """
    methods: list[Method] = []
    for name in names:
        path = _find(name, PRESETS)
        if path.stem in (SHARED, CONFIGS) or path.stem in [method.name for method in methods]:
            raise ConfigError(f"--methods {name!r}: the name {path.stem!r} is taken; give the file another name")
        methods.append(Method(path.stem, _config(path, base, options)))
    return methods


def shared_config(base: Config) -> Config:
    """The config of the run that trains and evaluates round 0 for all methods and buys nothing."""
    active = dataclasses.replace(base.active, rounds=0)
    return dataclasses.replace(base, active=active, acquisition={"type": "random"})


def _find(name: str, presets: Path) -> Path:
    if Path(name).suffix in (".yaml", ".yml") or "/" in name:
        return Path(name)
    path, known = presets / f"{name}.yaml", sorted(p.stem for p in presets.glob("*.yaml"))
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"--methods: {name!r} is neither a preset in {presets} ({hint}) nor a .yaml file")
    return path


def _config(path: Path, base: Config, options: Sequence[str]) -> Config:
    """``base`` with the acquisition of the method's file, which may repeat other settings but not change them."""
    where = f"method {path.stem} ({path})"
    own, shared = read_values(path), dataclasses.asdict(base)
    if not own.get("acquisition"):
        raise ConfigError(f"{where}: the section 'acquisition' is missing")
    merged = _merged(_merged(shared, own), parse_options(options, "--cfg-options"))
    merged["acquisition"] = own["acquisition"]
    merged["custom_imports"] = list(dict.fromkeys([*shared["custom_imports"], *(own.get("custom_imports") or [])]))
    merged["seed"] = base.seed
    config = parse_config(merged, where)
    if changes := differences(_without_own(base), _without_own(config)):
        raise ConfigError(f"{where}: may set its acquisition alone, but there is more: {changes}")
    try:
        checked_needs(build_acquisition(config.acquisition), checked_budget(config), path.stem)
    except (ConfigError, SelectionError) as error:
        raise ConfigError(f"{where}: {error}") from error
    return config


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """``first``, with what ``second`` says at any depth."""
    merged = {**first, **second}
    for key in first.keys() & second.keys():
        if isinstance(first[key], dict) and isinstance(second[key], dict):
            merged[key] = _merged(first[key], second[key])
    return merged


def _without_own(config: Config) -> dict[str, Any]:
    return {key: value for key, value in settings_of(config).items() if not key.startswith(OWN)}
