"""From a config file and options to the checked :class:`~kecor.config.settings.Config`, and back to YAML."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import yaml

from kecor.config.arguments import check_typed_sections
from kecor.config.convert import check_numbers, fill
from kecor.config.data_section import check_volume, with_options
from kecor.config.imports import import_modules
from kecor.config.layers import Values, find_config, merge_all, read_layers
from kecor.config.methods import method_sections
from kecor.config.overrides import apply_options
from kecor.config.settings import Config, ScheduleConfig
from kecor.errors import ConfigError

DEFAULTS: Values = {"acquisition": {"type": "kecor"}}
"""The lowest layer of every config, so that ``acquisition.sigma=0.2`` works on any."""


def load_config(path: str | Path, options: Sequence[str] = (), method: str | None = None) -> Config:
    """The checked config of a YAML file.

    Args:
        path: a config file, or the name of one that comes with the package, such as ``kitti/second.yaml``.
        options: ``key.sub=value``, applied on top; see :func:`~kecor.config.overrides.apply_options`.
        method: the acquisition method, in place of the config's; see :func:`~kecor.config.methods.method_sections`.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown (the nearest known one is named) or missing, or a
            value has the wrong type or lies outside its range.
    """
    path = find_config(path)
    values = merge_all([DEFAULTS, *read_layers(path)])
    if method is not None:
        imports = apply_options(values, options).get("custom_imports") or []
        values = {**values, **method_sections(method, imports if isinstance(imports, list) else [])}
    where = str(path) if method is None else f"{path} with method {method}"
    return parse_config(apply_options(values, options), where)


def parse_config(values: Values, where: str = "config") -> Config:
    """The checked :class:`Config` of plain nested values; ``where`` names them in errors.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    check_numbers(values, "", where)
    imports = values.get("custom_imports") or []
    if isinstance(imports, list) and all(isinstance(name, str) for name in imports):
        import_modules(imports, f"{where}: custom_imports")
    config: Config = fill(Config, {**values, "data": with_options(values.get("data"), where)}, "", where)
    check_volume(config.data, where)
    check_steps(config.schedule, where)
    check_typed_sections(values, where)
    return config


def check_steps(schedule: ScheduleConfig, where: str) -> None:
    """Raise ConfigError if ``iterations`` cannot be split into epochs of equal length."""
    if schedule.iterations is not None and schedule.iterations % schedule.epochs:
        raise ConfigError(
            f"{where}: schedule.iterations: got {schedule.iterations}; expected a multiple of schedule.epochs "
            f"({schedule.epochs}), because an epoch is iterations / epochs steps"
        )


def settings_values(config: Config) -> Values:
    """The plain nested values of a config; :func:`parse_config` turns them into an equal one."""
    values = dataclasses.asdict(config)
    options = values["data"].pop("options")
    return {**values, "data": {**values["data"], **options}}


def dump_config(config: Config) -> str:
    """The YAML text of a resolved config; :func:`load_config` reads it back to an equal one."""
    return yaml.safe_dump(settings_values(config), sort_keys=False)
