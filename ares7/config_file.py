"""A configuration file and ``--set`` as nested settings, before anything is validated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ares7.errors import ConfigError


def read_yaml(path: Path) -> dict[str, Any]:
    """Sections of a configuration file.

    Raises
    ------
    ConfigError
        No file, no YAML, no mapping, or a key given twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"config file {path} does not exist; name one with --config FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {path} cannot be read: {error}") from None
    try:
        loaded = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader that also refuses duplicates
    except (yaml.YAMLError, ValueError) as error:  # PyYAML lets an impossible date through as ValueError
        raise ConfigError(f"config file {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if loaded is None:
        raise ConfigError(f"config file {path} is empty; start from the config.yaml of the project")
    if not isinstance(loaded, dict):
        raise ConfigError(
            f"config file {path} must hold a mapping of sections; it holds {type(loaded).__name__}"
        )
    return loaded


class _UniqueKeys(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice instead of keeping the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else repr(key))
        return super().construct_mapping(node, deep)


def apply_override(settings: dict[str, Any], override: str) -> None:
    """Apply one ``dotted.name=value`` to nested settings; the value is parsed as YAML."""
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set {override!r} is not of the form dotted.name=value")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(
            f"--set {override!r}: the value is not valid YAML: {' '.join(str(error).split())}"
        ) from None
    node = settings
    for key in keys[:-1]:
        child = node.setdefault(key, {})
        if child is None:
            child = node[key] = {}
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override!r}: {key!r} is a value, not a section")
        node = child
    if keys == ["strategy", "name"] and node.get("name") != value:
        # The parameters of one strategy mean nothing to another.
        node.pop("params", None)
    node[keys[-1]] = value
