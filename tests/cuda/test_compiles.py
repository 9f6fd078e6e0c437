"""Every kernel compiles for a device, also where there is none: the simulator runs Python that a device may not."""

from __future__ import annotations

from types import SimpleNamespace

import numba
import numpy as np
import pytest
from numba import cuda, types
from numba.cuda.cuda_paths import get_cuda_paths
from numba.cuda.cudadrv import nvvm

from ares7.batch import lay_out, market
from ares7.book import planned
from ares7.config import AccountConfig
from ares7.cuda import batch_kernel, regime, score_kernel
from tests.engine.panels import flat, panel_of, targets_of
from tests.engine.running import COSTS

REAL, WHOLE = types.float64, types.int64


def compiler():
    """NVVM and libdevice, which come with the CUDA toolkit."""
    return nvvm.is_available() and bool(get_cuda_paths()["libdevice"].info)


def array(dtype, dimensions):
    return types.Array(dtype, dimensions, "C")


def signatures():
    panel = panel_of(flat(6, [10.0, 20.0]), flat(6, [10.0, 20.0]))
    ready = market(panel, account=AccountConfig(), costs=COSTS["fixed"][0])
    book = lay_out(ready, [planned(panel, targets_of(panel, {0: np.array([0.5, 0.5])}))])
    tape, layout, terms, rules = (numba.typeof(x) for x in (ready.tape, book, ready.terms, ready.rules))
    x1, x2, x3, n1, n2 = array(REAL, 1), array(REAL, 2), array(REAL, 3), array(WHOLE, 1), array(WHOLE, 2)
    flags, labels = types.boolean, array(types.int8, 1)
    return {
        "run_points": (
            batch_kernel,
            (tape, layout, x3, WHOLE, WHOLE, WHOLE, REAL, terms, rules, x2, x2),
        ),
        "classify": (regime, (x1, x1, WHOLE, WHOLE, WHOLE, REAL, REAL, labels)),
        "hold": (regime, (labels, WHOLE, labels)),
        "load": (score_kernel, (x2, x2, flags, array(flags, 2), WHOLE, x3, n2)),
        "find_bounds": (score_kernel, (x3, n2, REAL, REAL, x3)),
        "standardise": (score_kernel, (x3, n2, x3, REAL, REAL, WHOLE, x1)),
        "add_leg": (score_kernel, (x3, n1, n1, WHOLE, REAL, x2, x2, n1)),
    }


@pytest.mark.skipif(
    not compiler(), reason="no NVVM: the CUDA toolkit is not installed, or CUDA_HOME is unset"
)
@pytest.mark.parametrize("name", sorted(signatures()))
def test_a_kernel_compiles_to_double_precision(name, monkeypatch):
    # Functions that a kernel calls are compiled for the device that is there.
    device = SimpleNamespace(compute_capability=(8, 0))
    monkeypatch.setattr("numba.cuda.dispatcher.get_current_device", lambda: device)
    module, signature = signatures()[name]
    code, returned = cuda.compile_ptx(getattr(module, name).py_func, signature, cc=(8, 0))
    assert returned == types.void
    assert ".f32" not in code
