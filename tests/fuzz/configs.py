"""Every key of every shipped config with wrong values, loaded and built as commands do before any training."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kecor.acquisition.build import build_acquisition
from kecor.active.preflight import check_annotators, checked_budget
from kecor.config import load_config, method_sections
from kecor.config.layers import SHIPPED, merge_all, read_layers
from kecor.config.load import DEFAULTS
from kecor.config.methods import PRESETS
from kecor.datasets.augmentation import build_transforms
from kecor.datasets.gt_database import GTDatabase
from kecor.detectors import build_detector
from kecor.evaluation import build_metric
from tests.fuzz.values import WRONG

Key = tuple[str | int, ...]
Case = tuple[str, Key, Any]
"""Name of a config, a key in it, and the value it gets."""


def shipped() -> dict[str, dict[str, Any]]:
    """The values of every shipped config, bases merged; a method's stands on the small config of KITTI."""
    small = merge_all([DEFAULTS, *read_layers(SHIPPED / "kitti" / "second_small.yaml")])
    paths = [path for path in sorted(SHIPPED.rglob("*.yaml")) if path.parent != PRESETS and "_base_" not in path.parts]
    values = {str(path.relative_to(SHIPPED)): merge_all([DEFAULTS, *read_layers(path)]) for path in paths}
    presets = {f"methods/{path.name}": {**small, **method_sections(path.stem)} for path in sorted(PRESETS.glob("*"))}
    return {**values, **presets}


def keys_of(value: Any, above: Key = ()) -> Iterator[Key]:
    """All keys and positions in nested values."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in parts:
        yield (*above, name)
        yield from keys_of(item, (*above, name))


def cases(configs: dict[str, dict[str, Any]], rng: np.random.Generator) -> Iterator[Case]:
    """Every key of every config once, in a random order, then again with the next value, without end."""
    keys = [(name, key) for name, values in configs.items() for key in keys_of(values)]
    first = rng.integers(len(WRONG), size=len(keys))
    for turn in range(len(WRONG)):
        for place in rng.permutation(len(keys)):
            yield *keys[place], WRONG[(first[place] + turn) % len(WRONG)]


def changed(values: dict[str, Any], key: Key, value: Any) -> dict[str, Any]:
    """A copy of ``values`` with another value at ``key``."""
    values = copy.deepcopy(values)
    container: Any = values
    for name in key[:-1]:
        container = container[name]
    container[key[-1]] = value
    return values


def load_and_build(values: dict[str, Any], path: Path) -> None:
    """Write the values to ``path``, load that and build what it describes, data sets excepted."""
    path.write_text(yaml.safe_dump(values))
    config = load_config(path)
    checked_budget(config)
    check_annotators(config)
    build_acquisition(config.acquisition)
    build_metric(config.evaluation)
    build_transforms(config.data.augmentation, lambda: GTDatabase.from_frames((), config.data.classes))
    build_detector(config.detector, config.data)
