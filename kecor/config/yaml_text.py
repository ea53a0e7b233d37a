"""YAML read safely: plain values only, no code, no environment, bounded size, depth and aliases."""

from __future__ import annotations

import re
from typing import Any

import yaml

from kecor.errors import ConfigError

MAX_NODES = 100_000
"""Values of one file, each alias counted with everything it stands for."""
MAX_DEPTH = 30
YAML = "tag:yaml.org,2002:"
PLAIN = ("str", "int", "float", "bool", "null", "seq", "map")
FLOAT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
"""Numbers such as 1e-3, which YAML 1.2 reads as floats and PyYAML, which follows YAML 1.1, as text."""


class PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which refuses a key that is given twice and reads 1e-3 as a number."""


PlainLoader.add_implicit_resolver(f"{YAML}float", FLOAT, list("-+.0123456789"))


def parse_yaml(text: str, where: str) -> Any:
    """The plain value of a YAML text: sections, lists, texts, numbers, booleans and null.

    Raises:
        ConfigError: names ``where``, the line and what is wrong: no YAML, a tag such as ``!!python/object``, a key
            given twice or no text, values that contain themselves, or more of them than a config can need.
    """
    try:
        loader = PlainLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_node(node, where)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError as error:
        raise ConfigError(f"{where}: is nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"{where}: {line}is no YAML: {error.problem or 'cannot be read'}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{where}: is no YAML: {' '.join(str(error).split())}") from error


def _check_node(root: yaml.Node, where: str) -> None:
    """Bound what the document becomes before any of it is built."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        line = node.start_mark.line + 1
        if id(node) in open_nodes:
            raise ConfigError(f"{where}: line {line}: the value contains itself through an alias")
        if depth > MAX_DEPTH:
            raise ConfigError(f"{where}: line {line}: is nested more than {MAX_DEPTH} deep")
        if id(node) not in sizes:
            open_nodes.add(id(node))
            sizes[id(node)] = 1 + sum(size(child, depth + 1) for child in _children(node, where))
            open_nodes.discard(id(node))
        if sizes[id(node)] > MAX_NODES:
            raise ConfigError(f"{where}: line {line}: stands for more than {MAX_NODES:,} values")
        return sizes[id(node)]

    size(root, 0)


def _children(node: yaml.Node, where: str) -> list[yaml.Node]:
    tag = node.tag.removeprefix(YAML)
    if tag not in PLAIN:
        line = node.start_mark.line + 1
        raise ConfigError(f"{where}: line {line}: {tag} is not allowed: a config holds plain values; quote a text")
    if isinstance(node, yaml.SequenceNode):
        return node.value
    if not isinstance(node, yaml.MappingNode):
        return []
    names = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != f"{YAML}str":
            raise ConfigError(f"{where}: line {line}: the key {str(key.value)[:40]!r} is no text; write it in quotes")
        if key.value in names:
            raise ConfigError(f"{where}: line {line}: the key {key.value!r} is given twice")
        names.add(key.value)
    return [value for _, value in node.value]
