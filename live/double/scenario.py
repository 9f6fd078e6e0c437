"""Named scenarios: settings and a fault script under a name, in ``scenarios/NAME.yaml`` or a file of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ares7.errors import ConfigError
from live.double.faults import read_script
from live.double.knobs import Knobs

FOLDER = Path(__file__).parent / "scenarios"


class Scenario(BaseModel):
    """What goes wrong under a name.

    Attributes
    ----------
    about : str
        One sentence for a person.
    knobs : Knobs
    script : tuple of mapping
        See `live.double.faults`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    about: str
    knobs: Knobs = Knobs()
    script: tuple[dict[Any, Any], ...] = ()


def names() -> list[str]:
    """Scenarios that are shipped."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Scenario:
    """Read a shipped scenario, or a file that ends in ``.yaml``.

    Raises
    ------
    ConfigError
        There is none of that name, or it is wrong; names the place and the remedy.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(
            f"there is no scenario {name!r}; choose one of {', '.join(names())}, or name a file that ends in .yaml"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is no readable YAML: {error}; correct it") from None
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} must hold a mapping with 'about', and 'knobs' or 'script'; correct it")
    try:
        scenario = Scenario(name=path.stem, **content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; correct it") from None
    read_script(scenario.script, str(path))
    return scenario
