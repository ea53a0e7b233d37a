"""Load, override and check a config: YAML files with ``_base_``, turned into the typed settings below.

Sections with a ``type`` name a registered class; the rest of such a section are the arguments of its constructor.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config as FileConfig
from mmengine.registry import Registry

from kecor import registry
from kecor.errors import ConfigError


@dataclass
class VoxelConfig:
    """How points become voxels. ``size`` in metres along x, y, z."""

    size: list[float]
    max_points: int = 5
    max_train: int = 16000
    max_test: int = 40000


@dataclass
class DataConfig:
    """Which data set, which classes, which part of space, and how training frames are varied."""

    type: str
    root: str
    classes: list[str]
    point_cloud_range: list[float]
    voxels: VoxelConfig
    train_split: str = "train"
    val_split: str = "val"
    camera_view: bool = True
    augmentation: list[dict[str, Any]] = field(default_factory=list)
    workers: int = 0


@dataclass
class ScheduleConfig:
    """Adam one-cycle (Smith 2018): the learning rate rises to ``lr`` and falls, the momentum does the reverse."""

    epochs: int
    batch_size: int = 4
    lr: float = 0.003
    weight_decay: float = 0.01
    grad_clip: float = 10.0
    momentum_high: float = 0.95
    momentum_low: float = 0.85
    pct_start: float = 0.4
    div_factor: float = 10.0
    amp: str = "none"


@dataclass
class ActiveConfig:
    """The rounds: the labelled frames to start from, how often to buy and for how much."""

    initial: int = 100
    rounds: int = 6
    amount: float = 100.0
    cost_frame: float = 1.0
    cost_box: float = 0.0
    start: str = "cold"
    n_rois: int = 128
    dropout_passes: int = 10
    dropout_rate: float = 0.1


@dataclass
class Config:
    """A whole config. ``acquisition`` is needed by active learning alone."""

    data: DataConfig
    detector: dict[str, Any]
    schedule: ScheduleConfig
    evaluation: dict[str, Any]
    active: ActiveConfig = field(default_factory=ActiveConfig)
    acquisition: dict[str, Any] = field(default_factory=lambda: {"type": "kecor"})
    seed: int = 0
    custom_imports: list[str] = field(default_factory=list)


EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
CHOICES = {"schedule.amp": ("none", "bf16", "fp16"), "active.start": ("cold", "warm")}
TYPED = {
    "detector": registry.DETECTORS,
    "acquisition": registry.ACQUISITIONS,
    "evaluation": registry.METRICS,
    "data.augmentation": registry.TRANSFORMS,
}
"""Sections whose ``type`` a registry knows."""


def load_config(path: str | Path, options: typing.Sequence[str] = ()) -> Config:
    """The checked config of a YAML file, with ``key.sub=value`` options applied on top.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown (the nearest known one is named) or missing,
            or a value has the wrong type.
    """
    values = read_values(path)
    for option in options:
        _override(values, option)
    return parse_config(_with_exponents(values), where=str(path))


def read_values(path: str | Path) -> dict[str, Any]:
    """The nested values of a YAML file and of those it names in ``_base_``, unchecked.

    Raises:
        ConfigError: the file is missing or no YAML.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such config file")
    try:
        return _with_exponents(FileConfig.fromfile(str(path), import_custom_modules=False).to_dict())
    except (OSError, KeyError, ValueError, TypeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def parse_config(values: dict[str, Any], where: str = "config") -> Config:
    """The checked :class:`Config` of plain nested values; ``where`` names them in errors."""
    import_modules(values.get("custom_imports") or [], f"{where}: custom_imports")
    config = _fill(Config, values, "", where)
    for key, choices in CHOICES.items():
        section, name = key.split(".")
        value = getattr(getattr(config, section), name)
        if value not in choices:
            raise ConfigError(f"{where}: {key}: {value!r} is none of {', '.join(choices)}")
    registry.DATASETS.import_from_location()
    if config.data.type not in registry.DATASETS.module_dict:
        raise _unknown(where, "data.type", config.data.type, registry.DATASETS.module_dict)
    for key, known in TYPED.items():
        section = values
        for part in key.split("."):
            section = section.get(part, {}) if isinstance(section, dict) else {}
        for item in section if isinstance(section, list) else [section] if section else []:
            _check_typed(item, known, key, where)
    return config


def dump_config(config: Config) -> str:
    """The YAML text of a resolved config; :func:`load_config` reads it back to an equal one."""
    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False)


def parse_options(options: typing.Sequence[str], flag: str) -> dict[str, Any]:
    """The nested values of ``key.sub=value`` options, given to the command-line argument ``flag``, read as YAML.

    Raises:
        ConfigError: an option has another form, or its value is no YAML.
    """
    values: dict[str, Any] = {}
    for option in options:
        _override(values, option, flag)
    return _with_exponents(values)


def import_modules(names: typing.Iterable[str], where: str) -> None:
    """Import modules for what they register; ``where`` says in errors who named them.

    Raises:
        ConfigError: one cannot be imported.
    """
    for name in names:
        try:
            __import__(name)
        except ImportError as error:
            raise ConfigError(f"{where}: {name!r} cannot be imported: {error}") from error


def _with_exponents(value: Any) -> Any:
    """``value`` with texts such as 1e-3, which YAML 1.1 does not read as numbers, made floats at any depth."""
    if isinstance(value, dict):
        return {key: _with_exponents(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_exponents(item) for item in value]
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


def _override(values: dict[str, Any], option: str, flag: str = "--cfg-options") -> None:
    key, equals, text = option.partition("=")
    if not equals or not key:
        raise ConfigError(f"{flag} {option!r}: expected key.sub=value")
    *parents, last = key.split(".")
    section = values
    for part in parents:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise ConfigError(f"{flag} {option!r}: {part} is no section")
    try:
        section[last] = yaml.safe_load(text) if text else ""
    except yaml.YAMLError as error:
        raise ConfigError(f"{flag} {option!r}: the value is no YAML") from error


def _unknown(where: str, section: str, key: str, known: typing.Iterable[str]) -> ConfigError:
    known = sorted(known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known) or 'none'}"
    return ConfigError(f"{where}: unknown key {(section + '.' if section else '') + key!r}; {hint}")


def _fill(cls: type, values: Any, section: str, where: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: {section}: expected a section of keys, got {values!r}")
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in hints:
            raise _unknown(where, section, key, hints)
    filled = {}
    for item in dataclasses.fields(cls):
        key = f"{section}.{item.name}" if section else item.name
        if item.name in values:
            filled[item.name] = _convert(hints[item.name], values[item.name], key, where)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: {key} is missing")
    return cls(**filled)


def _convert(kind: Any, value: Any, key: str, where: str) -> Any:
    """``value`` as ``kind``: whole numbers pass as floats, nothing else is bent."""
    if dataclasses.is_dataclass(kind):
        return _fill(kind, value, key, where)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in typing.get_args(kind):
            return None
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
        return _convert(kind, value, key, where)
    if origin is list:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where}: {key}: expected a list, got {value!r}")
        (inner,) = typing.get_args(kind)
        return [_convert(inner, v, f"{key}[{i}]", where) for i, v in enumerate(value)]
    if origin is dict:
        kind = dict
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{where}: {key}: expected {kind.__name__}, got {value!r}")
    return value


def _check_typed(section: dict[str, Any], known: Registry, key: str, where: str) -> None:
    """Check a section against the constructor of the class its ``type`` names."""
    if "type" not in section:
        raise ConfigError(f"{where}: {key}.type is missing")
    known.import_from_location()
    name = section["type"]
    if name not in known.module_dict:
        raise _unknown(where, f"{key}.type", str(name), known.module_dict)
    arguments = {k: v for k, v in section.items() if k != "type"}
    check_arguments(known.module_dict[name], arguments, key, where)


def check_arguments(target: typing.Callable, given: dict[str, Any], key: str, where: str = "config") -> None:
    """Check that ``target`` (a class or function) takes the arguments of section ``key``, and gets all it needs.

    The argument ``data`` is the builder's to pass, never a config's.

    Raises:
        ConfigError: an unknown argument (the nearest known one is named) or a missing one.
    """
    known = {p.name: p for p in inspect.signature(target).parameters.values() if p.name != "data"}
    for name in given:
        if name not in known:
            raise _unknown(where, key, name, known)
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given:
            raise ConfigError(f"{where}: {key}.{name} is missing")
