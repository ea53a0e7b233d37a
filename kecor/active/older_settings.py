"""Settings of run folders that an older kecor wrote, under the names they have now."""

from __future__ import annotations

from typing import Any

KERNEL = "acquisition.kernel"
KERNEL_KEYS = (
    "arrangement",
    "output",
    "standardise",
    "steps",
    "learning_rate",
    "batch_size",
    "rank",
    "normalise",
    "precision",
    "require_convergence",
    "device",
)
"""Keys that lay directly in the section ``acquisition`` of ``kecor`` and ``lcmd``."""


def renamed(settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` by dotted key, with flat kernel settings moved into the section ``acquisition.kernel``."""
    if settings.get("acquisition.type") not in ("kecor", "lcmd") or not isinstance(settings.get(KERNEL), str):
        return settings
    names = {f"acquisition.{key}": f"{KERNEL}.{key}" for key in KERNEL_KEYS} | {KERNEL: f"{KERNEL}.type"}
    return {names.get(key, key): value for key, value in settings.items()}
