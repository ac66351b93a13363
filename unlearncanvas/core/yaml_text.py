"""A strict subset of YAML: plain values, text keys, no duplicate key, bounded aliases."""

import math
from functools import lru_cache
from typing import Any

import yaml

MAX_VALUES = 100_000
"""Values of one text, with its aliases expanded; no file of the package has 1,000."""
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"


def parse_yaml(text: str) -> Any:
    """Return what a YAML text holds.

    Raises:
        ValueError: One line, if it is not YAML, or a mapping has a key twice or one that is not
            text, or its aliases expand to more than ``MAX_VALUES`` values.
    """
    try:
        node = _composed(text)
        return None if node is None else yaml.SafeLoader("").construct_document(node)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    except yaml.YAMLError as exc:
        raise ValueError(" ".join(str(exc).split())) from exc


@lru_cache(maxsize=256)
def _composed(text: str) -> yaml.Node | None:
    """The checked nodes of a text; cached, since protocols share metric files."""
    node = yaml.SafeLoader(text).get_single_node()
    if node is not None and _count(node, {}) > MAX_VALUES:
        raise ValueError(f"its aliases expand to more than {MAX_VALUES:,} values")
    return node


def _count(node: yaml.Node, counts: dict[int, float]) -> float:
    """The values under a node with aliases expanded; infinite where one contains itself."""
    if id(node) not in counts:
        counts[id(node)] = math.inf
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            _check_keys([key for key, _ in node.value])
            children = [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        counts[id(node)] = 1 + sum(_count(child, counts) for child in children)
    return counts[id(node)]


def _check_keys(keys: list[yaml.Node]) -> None:
    """Raise ValueError for a key that is not text or is a duplicate."""
    seen = set()
    for key in keys:
        line = key.start_mark.line + 1
        if key.tag == _MERGE:
            continue
        if key.tag != _TEXT:
            found = repr(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise ValueError(f"keys must be text, got {found} in line {line}; put it in quotes")
        if key.value in seen:
            raise ValueError(f"duplicate key {key.value!r}, again in line {line}")
        seen.add(key.value)
