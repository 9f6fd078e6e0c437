"""Whether there is a CUDA device, and how much of it may be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numba.cuda.cuda_paths

from ares7.errors import ConfigError, ServiceUnavailable

# Type checkers cannot read what numba puts together when it is imported.
cuda: Any = numba.cuda
config: Any = numba.config

SPARE = 0.9
"""Part of the device's free memory that is used."""
THREADS = 128
BLOCKS = (128, 4096)
"""Fewest and most blocks of a launch: numba warns of fewer, and threads take further values in turn."""

F = TypeVar("F", bound=Callable[..., Any])


def on_device(function: F) -> F:
    """Declare a function that kernels call.

    In the simulator it sees threads and barriers only in the module of the kernel that calls it.
    """
    return cast(F, cuda.jit(device=True)(function))


def kernel(function: Callable[..., Any]) -> Any:
    """Declare a kernel, started as ``function[blocks, threads](...)``; its compiled code is kept on disk."""
    return cuda.jit(cache=True)(function)


def require_device() -> None:
    """Return if a kernel can be compiled and run here.

    Raises
    ------
    ServiceUnavailable
        No CUDA driver, no device, or no compiler for it (exit code 3).
    """
    if simulated():
        return
    missing = None if cuda.is_available() else cuda.cuda_error() or "the CUDA toolkit's NVVM is not found"
    if missing is None and not cuda.cuda_paths.get_cuda_paths()["libdevice"].info:
        missing = "the CUDA toolkit's libdevice is not found"
    if missing is None:
        return
    found = " ".join(str(missing).split()).rstrip(".:")
    raise ServiceUnavailable(
        f"no CUDA device for --device cuda: {found}; install the NVIDIA driver and the CUDA toolkit, "
        "set CUDA_HOME if the toolkit lies elsewhere, or run without --device cuda"
    )


def simulated() -> bool:
    """Whether numba runs CUDA kernels as Python on the CPU (``NUMBA_ENABLE_CUDASIM=1``)."""
    return bool(config.ENABLE_CUDASIM)


def launch_for(values: int) -> tuple[int, int]:
    """Blocks and threads of a kernel that has so many values to compute, each by one thread."""
    if simulated():
        # Threads of the interpreter, of which it runs one at a time.
        return 1, 4
    return min(max(BLOCKS[0], -(-values // THREADS)), BLOCKS[1]), THREADS


def free_bytes() -> float:
    """Bytes that may be allocated on the device; unbounded in the simulator."""
    free, _ = cuda.current_context().get_memory_info()
    return SPARE * float(free)


def require_room(need: float, what: str) -> None:
    """Refuse an upload that does not fit.

    Raises
    ------
    ConfigError
        Naming what does not fit, how large it is, and how much is free.
    """
    free = free_bytes()
    if need > free:
        raise ConfigError(
            f"{what} needs {need / 2**20:,.0f} MiB on the CUDA device and {free / 2**20:,.0f} MiB are free; "
            "shorten the period, take fewer symbols or points, or run without --device cuda"
        )
