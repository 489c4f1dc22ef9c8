"""Compiling the inner loops by numba, with a cache of machine code where one can be written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

log = logging.getLogger(__name__)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function to be compiled at its first call; it releases the interpreter's lock.

    numba keeps the machine code in ``__pycache__`` beside the source, else in the user's cache
    folder, else where NUMBA_CACHE_DIR says. Where it may write to none of them, as in a container
    with a read-only file system, each process compiles anew.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            return njit(nogil=True, **options)(function)

    return decorate


def tell_of_compiling(kernel: Any) -> None:
    """Log, before a kernel's first call, that it will be compiled, unless it is in the cache."""
    if kernel.signatures:
        return
    folder = kernel.stats.cache_path
    if folder is None:
        log.info(
            "compiling the PatchMatch kernels (some seconds), for this process only: no folder for "
            "numba's cache can be written; NUMBA_CACHE_DIR may name one"
        )
    elif not any(Path(folder).glob(f"*.{kernel.py_func.__name__}-*.nbi")):
        log.info("compiling the PatchMatch kernels, once on this machine (some seconds)")
