"""Where a result comes from: code, libraries, machine."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("backtrader", "numpy", "pandas", "numba", "pydantic", "exchange_calendars", "pyarrow")


def code_version(root: Path) -> dict[str, Any]:
    """Git commit of the project and whether files differ from it; null outside a git checkout."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603 - fixed arguments
                ["git", "-C", str(root), *arguments],  # noqa: S607 - git is found on the user's path
                capture_output=True,
                text=True,
                timeout=5,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    changes = git("status", "--porcelain", "--untracked-files=no")
    return {
        "commit": commit.strip() if commit else None,
        "modified": bool(changes) if changes is not None else None,
    }


def code_digest(root: Path) -> str:
    """Hash of the source files that figures depend on: equal where the same code runs."""
    digest = hashlib.sha256()
    for package in ("ares7", "feeds", "strategies"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Python and the libraries that results depend on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
