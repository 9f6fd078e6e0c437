"""The same tests with ib_async, in an environment of its own: its event package overwrites ib_insync's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import LIBRARY

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".cache" / "ib_async" / "bin" / "python"


@pytest.mark.skipif(LIBRARY == "ib_async", reason="this is the environment of ib_async")
@pytest.mark.skipif(
    not PYTHON.exists(), reason="NOT TESTED WITH IB_ASYNC: make test-ib-async makes its environment"
)
@pytest.mark.skipif(sys.platform == "win32", reason="the environment is made by make")
def test_the_client_passes_all_its_tests_with_ib_async():
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/client"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    passed = int(re.findall(r"(\d+) passed", done.stdout)[-1])
    assert passed > 200
