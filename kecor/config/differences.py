"""Two configs compared key by key, when something that was begun with one goes on with the other."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from kecor.config.load import settings_values
from kecor.config.settings import ActiveConfig, Config, OracleConfig, ScheduleConfig

RUN_ONLY = ("data.root", "data.workers", "oracle.folder")
"""Settings that do not affect results; they may change when a run resumes."""


def settings_of(config: Config, **extra: Any) -> dict[str, Any]:
    """The config by dotted key without the run-only keys, as JSON gives it back; ``extra`` is added unchanged."""
    flat: dict[str, Any] = dict(extra)

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), item)
        elif prefix not in RUN_ONLY:
            flat[prefix] = value

    walk("", settings_values(config))
    return json.loads(json.dumps(flat))


def differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Differences between two configs by dotted key, in words; empty when there are none.

    A key of ``active``, ``oracle`` or ``schedule`` that did not exist when a run began counts with its default.
    """
    sections = (("active", ActiveConfig), ("oracle", OracleConfig), ("schedule", ScheduleConfig))
    fields = ((f"{name}.{item.name}", item.default) for name, cls in sections for item in dataclasses.fields(cls))
    defaults = {key: value for key, value in fields if key not in RUN_ONLY and value is not dataclasses.MISSING}
    was, now = ({key: repr(value) for key, value in {**defaults, **settings}.items()} for settings in (before, after))
    keys = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
    return "; ".join(f"{key}: was {was.get(key, 'unset')}, is {now.get(key, 'unset')}" for key in keys)
