"""Building a stage from its section of a detector's config."""

from __future__ import annotations

import functools
from typing import Any

from kecor.config import check_arguments
from kecor.errors import ConfigError
from kecor.registry import DETECTOR_STAGES


def build_stage(key: str, default: str, section: dict[str, Any] | None, *given: Any) -> Any:
    """Build the stage that a section of the config describes.

    Args:
        key: of the section, named in errors.
        default: registered type of the stage if the section has no ``type``.
        section: ``type`` and arguments of the stage.
        given: leading arguments of the stage, which follow from the data and the stages before it.

    Raises:
        ConfigError: an unknown type, or an unknown, missing or wrong argument.
    """
    if not isinstance(section, (dict, type(None))):
        raise ConfigError(f"{key}: got {section!r:.80}; expected a section of keys")
    arguments = dict(section or {})
    name = arguments.pop("type", default)
    if not isinstance(name, str) or name not in DETECTOR_STAGES.module_dict:
        raise ConfigError(
            f"{key}.type: got {name!r}; expected one of: {', '.join(sorted(DETECTOR_STAGES.module_dict))}"
        )
    stage = functools.partial(DETECTOR_STAGES.module_dict[name], *given)
    check_arguments(stage, arguments, key)
    return stage(**arguments)
