"""Values against annotated types: what fits, and what the message says of the rest."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from kecor.config.value_types import check_types
from kecor.errors import ConfigError


@dataclass
class Part:
    name: str = ""


def target(
    anything,
    flag: bool,
    count: int,
    rate: float,
    text: str,
    maybe: int | None,
    either: int | str,
    kind: Literal["a", "b", 3],
    numbers: list[float],
    pair: tuple[int, int],
    some: tuple[int, ...],
    names: Sequence[str],
    boxes: Iterable[list[int]],
    sizes: dict[str, float],
    nested: Mapping[str, list[int]],
    part: Part,
    free: Any,
):
    pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("anything", object()), ("free", [1, "a"]), ("flag", True), ("count", 0), ("count", 10**30), ("rate", 1),
        ("rate", 0.5), ("rate", float("nan")), ("text", ""), ("maybe", None), ("maybe", 4), ("either", "x"),
        ("either", 3), ("kind", "b"),
        ("kind", 3), ("numbers", []), ("numbers", [1, 2.5]), ("numbers", (1,)), ("pair", [1, 2]), ("some", [1, 2, 3]),
        ("names", ["a"]), ("boxes", [[1], []]), ("sizes", {}), ("sizes", {"a": 1}), ("nested", {"a": [1]}),
        ("part", {"name": "x"}), ("part", Part()),
    ],
)  # fmt: skip
def test_what_fits_passes(name, value):
    check_types(target, {name: value}, "key", "config")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("flag", 1, "key.flag: got 1; expected true or false"),
        ("flag", "true", "key.flag: got 'true'; expected true or false"),
        ("count", True, "key.count: got True; expected a whole number"),
        ("count", 1.0, "key.count: got 1.0; expected a whole number"),
        ("count", None, "key.count: got None; expected a whole number"),
        ("rate", "1", "key.rate: got '1'; expected a number"),
        ("rate", False, "key.rate: got False; expected a number"),
        ("rate", [1.0], "key.rate: got [1.0]; expected a number"),
        ("text", 3, "key.text: got 3; expected text"),
        ("maybe", "no", "key.maybe: got 'no'; expected a whole number"),
        ("either", [], "key.either: got []; expected a whole number"),
        ("kind", "c", "key.kind: got 'c'; expected one of: a, b, 3"),
        ("numbers", "12", "key.numbers: got '12'; expected a list"),
        ("numbers", 1.0, "key.numbers: got 1.0; expected a list"),
        ("numbers", [1, "a"], "key.numbers[1]: got 'a'; expected a number"),
        ("pair", [1], "key.pair: got [1]; expected a list of 2"),
        ("pair", [1, 2, 3], "key.pair: got [1, 2, 3]; expected a list of 2"),
        ("pair", [1, None], "key.pair[1]: got None; expected a whole number"),
        ("some", [1, 2, "3"], "key.some[2]: got '3'; expected a whole number"),
        ("names", [1], "key.names[0]: got 1; expected text"),
        ("boxes", [[1], [1.5]], "key.boxes[1][0]: got 1.5; expected a whole number"),
        ("sizes", [1], "key.sizes: got [1]; expected a section of keys"),
        ("sizes", {"a": 1, "b": "x"}, "key.sizes.b: got 'x'; expected a number"),
        ("nested", {"a": [1, True]}, "key.nested.a[1]: got True; expected a whole number"),
        ("part", "x", "key.part: got 'x'; expected a section of keys"),
    ],
)
def test_what_does_not_fit_is_named(name, value, message):
    with pytest.raises(ConfigError) as error:
        check_types(target, {name: value}, "key", "my.yaml")
    assert str(error.value) == f"my.yaml: {message}"


def test_long_values_are_cut():
    with pytest.raises(ConfigError) as error:
        check_types(target, {"count": "x" * 10_000}, "", "my.yaml")
    assert str(error.value).startswith("my.yaml: count: got 'xxx")
    assert len(str(error.value)) < 200


def test_classes_and_partial_functions_are_checked_by_their_arguments():
    for one in (functools.partial(target, 1), target):
        with pytest.raises(ConfigError, match=r"key\.count"):
            check_types(one, {"count": "x"}, "key", "config")
    with pytest.raises(ConfigError, match=r"key.name: got 3; expected text"):
        check_types(Part, {"name": 3}, "key", "config")
