"""Whether each configured class has an object to learn from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from kecor.datasets.account.hooks import all_names
from kecor.datasets.base import Dataset


def unlike(name: str, known: Iterable[str]) -> str:
    """``; the nearest class is ...`` where one of ``known`` is spelt nearly like ``name``, else nothing."""
    spelt = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.7)
    return f"; the nearest class is {spelt[near[0]]!r}" if near else ""


def absent_classes(classes: Sequence[str], labelled: Sequence[tuple[Dataset, str]]) -> dict[str, str]:
    """The classes that no labelled frame has an object of, each with what its name may have meant.

    Args:
        classes: the classes to look for.
        labelled: data set and id of the frames whose labels may be read; reading stops when nothing is missing.
    """
    missing, seen = set(classes), set()
    for name in _names(labelled):
        missing.discard(name)
        seen.add(name)
        if not missing:
            return {}
    return {name: unlike(name, sorted(seen - set(classes))) for name in classes if name in missing}


def _names(labelled: Sequence[tuple[Dataset, str]]) -> Iterator[str]:
    for dataset, frame_id in labelled:
        yield from set(all_names(dataset, frame_id))
