"""Class names that annotators use against those that are asked for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np

from kecor.errors import DataError
from kecor.labelling.base import LabelledBoxes


class ClassNames:
    """Renames classes and finds those nobody asked for.

    Args:
        classes: the names that are allowed; None allows all.
        rename: name in the delivery -> name to use instead.
    """

    def __init__(self, classes: Sequence[str] | None, rename: Mapping[str, str]) -> None:
        self._classes = None if classes is None else list(classes)
        self._rename = dict(rename)

    def apply(self, labels: LabelledBoxes, source: str) -> LabelledBoxes:
        """The boxes with the names to use. A name that differs in case alone is corrected, with a note.

        Raises:
            DataError: a name is not allowed; names the box and the nearest class.
        """
        notes, names = list(labels.notes), []
        for i, given in enumerate(labels.names.tolist()):
            name = self._find(self._rename.get(given, given), f"{source}: box {i + 1}")
            if given not in (name, *self._rename):
                notes.append(f"{source}: box {i + 1}: class {given!r} read as {name!r}")
            names.append(name)
        return LabelledBoxes(np.array(names, dtype=str), labels.boxes, notes)

    def _find(self, name: str, where: str) -> str:
        if self._classes is None or name in self._classes:
            return name
        same = [known for known in self._classes if known.casefold() == name.casefold()]
        if len(same) == 1:
            return same[0]
        near = difflib.get_close_matches(name.casefold(), [known.casefold() for known in self._classes], 1, 0.5)
        hint = next((known for known in self._classes if near and known.casefold() == near[0]), None)
        advice = f"; the nearest is {hint!r}: correct it, or pass --rename {name}={hint}" if hint else ""
        raise DataError(f"{where}: class {name!r} is not one of {', '.join(self._classes)}{advice}")
