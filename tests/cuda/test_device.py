"""What is asked of a device: it is there, it agrees at size, and how fast it is; without one, exit code 3."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import cuda

from ares7.cuda import device, measure
from ares7.errors import ServiceUnavailable

ROOT = Path(__file__).resolve().parents[2]
there = pytest.mark.skipif(not cuda.is_available(), reason="no CUDA device on this machine")


def hidden(*command):
    """Run where no device can be seen."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )


def test_without_a_device_measuring_exits_3():
    done = hidden("-m", "ares7.cuda.measure")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: no CUDA device for --device cuda: ")
    assert done.stderr.endswith("or run without --device cuda\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("sizes", [["729", "500"], ["729", "500", "-1"], ["729", "many", "3"]])
def test_sizes_that_are_none_are_refused(sizes, capsys):
    assert measure.main(sizes) == 2
    assert "give points, names and sessions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reason", "libdevice"), [(RuntimeError("no driver\nat all:"), "found"), (None, "found")]
)
def test_the_error_says_what_is_missing(reason, libdevice, monkeypatch):
    monkeypatch.setattr(device.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device.cuda, "cuda_error", lambda: reason)
    with pytest.raises(ServiceUnavailable) as raised:
        device.require_device()
    assert ("no driver at all;" if reason else "the CUDA toolkit's NVVM is not found;") in str(raised.value)
    assert raised.value.exit_code == 3


def test_who_does_not_ask_for_a_device_does_not_load_cuda():
    code = "import sys, ares7.batch, ares7.search, strategies.quality_momentum; print('numba.cuda' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@there
@pytest.mark.cuda
@pytest.mark.parametrize("size", [(729, 100, 1260), (2000, 500, 2520)])
def test_a_device_agrees_and_how_fast_it_is(size, capsys):
    found = measure.measure(*size)
    with capsys.disabled():
        sys.stdout.write(f"\n{size}: {found.ratio:.3g} times two CPU threads, transfer included\n")
    assert found.difference <= 1e-10


@there
@pytest.mark.cuda
def test_a_device_repeats_to_the_bit():
    from ares7.batch import market
    from ares7.config import AccountConfig
    from ares7.costs import BpsCosts
    from ares7.cuda.batch import DeviceMarket

    panel = measure.made_up(300, 504)
    ready = market(panel, account=AccountConfig(), costs=BpsCosts(bps=10.0))
    plans = measure.made_up_plans(panel, 500)
    assert np.array_equal(DeviceMarket(ready).run(plans).nav, DeviceMarket(ready).run(plans[::-1]).nav[::-1])


@there
@pytest.mark.cuda
def test_a_device_scores_and_labels_as_the_cpu_does():
    from strategies.quality_momentum import Params, labels, scores
    from tests.cuda.on_device import memo_of
    from tests.engine.panels import market

    panel = market(sessions=900, stocks=300)
    memo, params = memo_of(panel), Params()
    found, expected = memo(scores, panel, params), scores(panel, params)
    assert np.abs(found.score - expected.score).max() <= 1e-12
    assert np.array_equal(found.eligible, expected.eligible)
    assert np.array_equal(memo(labels, panel, params.regime).held, labels(panel, params.regime).held)
