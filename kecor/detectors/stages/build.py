"""Building a stage from its section of a detector's config."""

from __future__ import annotations

import functools
from typing import Any

from kecor.config import check_arguments
from kecor.errors import ConfigError
from kecor.registry import DETECTOR_STAGES


def build_stage(key: str, default: str, section: dict[str, Any] | None, *given: Any) -> Any:
    """The stage of section ``key``: of the registered ``type`` it names, else of type ``default``.

    Args:
        given: the leading arguments of the stage, which depend on the data and on the stages before it and are never a
            config's.

    Raises:
        ConfigError: an unknown type, or an unknown or missing argument.
    """
    arguments = dict(section or {})
    name = arguments.pop("type", default)
    if name not in DETECTOR_STAGES.module_dict:
        raise ConfigError(f"{key}.type: {name!r} is none of {', '.join(sorted(DETECTOR_STAGES.module_dict))}")
    stage = functools.partial(DETECTOR_STAGES.module_dict[name], *given)
    check_arguments(stage, arguments, key)
    return stage(**arguments)
