"""Makes a new strategy file from the template."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from ares7.errors import ConfigError

TEMPLATE = Path(__file__).with_name("template.py")


def create(name: str, folder: Path) -> Path:
    """Write ``folder/name.py``: a runnable strategy to change.

    Raises
    ------
    ConfigError
        The name is no lower-case Python identifier, or the file exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(
            f"strategy name {name!r} must be lower-case letters, digits and _, for example my_idea"
        )
    path = folder / f"{name}.py"
    text = TEMPLATE.read_text(encoding="utf-8")
    class_name = "".join(part.capitalize() for part in name.split("_"))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text.replace("class Template(", f"class {class_name}("))
    except FileExistsError:
        raise ConfigError(f"{path} exists; choose another name or edit it") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}") from None
    return path
