"""The methods of a comparison: one config per method, identical except for the acquisition function."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kecor.acquisition import build_acquisition
from kecor.active.preflight import checked_budget
from kecor.active.selection.purchase import checked_needs
from kecor.config import Config, load_config
from kecor.errors import ConfigError

SHARED, CONFIGS = "shared", "configs"
"""Folders of a comparison; reserved, so no method may have one of these names."""


@dataclass(frozen=True)
class Method:
    """A method: its name, which also names its folder, and the config of its runs. Each run sets its own seed."""

    name: str
    config: Config


def load_base(path: Path, options: Sequence[str]) -> Config:
    """Read and check the config that all methods share. The data set itself is not read.

    Raises:
        ConfigError: the config is invalid or leaves labelling to annotators, or ``options`` set the seed or the
            acquisition function.
    """
    for option in options:
        section = option.partition("=")[0].split(".")[0]
        if section in ("seed", "acquisition"):
            flag = "--seeds" if section == "seed" else "--methods, which may be YAML files of your own"
            raise ConfigError(f"--set {option!r}: a comparison takes this from {flag}")
    config = load_config(path, options)
    if config.oracle.type != "simulated":
        raise ConfigError(f"{path}: oracle.type: got {config.oracle.type!r}; a comparison needs 'simulated'")
    checked_budget(config)
    return config


def load_methods(names: Sequence[str], path: Path, options: Sequence[str]) -> list[Method]:
    """The methods called ``names``, as ``--method`` of ``train_al.py`` takes them, each with the config ``path``.

    Raises:
        ConfigError: no such method, two of one name, or a file that is wrong or sets more than its method.
    """
    methods: list[Method] = []
    for name in names:
        title = Path(name).stem
        if title in (SHARED, CONFIGS) or title in [method.name for method in methods]:
            raise ConfigError(f"--methods {name!r}: the name {title!r} is taken; give the file another name")
        config = load_config(path, options, method=name)
        checked_needs(build_acquisition(config.acquisition), checked_budget(config), title)
        methods.append(Method(title, config))
    return methods


def shared_config(base: Config) -> Config:
    """The config of the shared run: it trains and evaluates round 0 for all methods and buys no labels."""
    active = dataclasses.replace(base.active, rounds=0)
    return dataclasses.replace(base, active=active, acquisition={"type": "random"})
