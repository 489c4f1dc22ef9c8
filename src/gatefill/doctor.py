"""A description and self-test of an installation for bug reports: `gatefill doctor`.

A broken installation must not stop the report: an error that a part raises is shown in its place.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import gatefill
from gatefill.extras import MODULES, import_onnxruntime, installed
from gatefill.parallel import cores, peak_memory

Facts = dict[str, Any]

# Processor features that the speed of gatefill depends on, by their LLVM names.
_FEATURES = (
    *("sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bf16", "avx512vnni"),
    *("amx-bf16", "amx-int8", "neon", "dotprod", "fullfp16", "bf16", "sve"),
)

# Environment variables that change what gatefill does. Their values are printed, so none may hold
# a secret.
_VARIABLES = (
    *("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT"),
    *("CUDA_VISIBLE_DEVICES", "HF_HOME", "HF_HUB_OFFLINE", "GATEFILL_DEBUG", "TMPDIR"),
)

_STRIPES = (200, 120, 40), (190, 110, 30), (20, 30, 60)


def examine() -> dict[str, Facts]:
    """Describe the installation, and fill a small picture with the default method.

    Returns:
        Sections by name, each a dict of values that JSON can hold. ``["self_test"]["ok"]`` says
        whether gatefill works. The home folder is written as ``~``.
    """
    sections: dict[str, Callable[[], Facts]] = {
        "gatefill": _gatefill,
        "system": _system,
        "packages": _packages,
        "extras": lambda: {"installed": [extra for extra in MODULES if installed(extra)]},
        "runtimes": _runtimes,
        "devices": _devices,
        "caches": _caches,
        "environment": _environment,
        "self_test": _self_test,
    }
    return {name: _safely(look) for name, look in sections.items()}


def _safely(look: Callable[[], Facts]) -> Facts:
    try:
        return look()
    except Exception as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def _gatefill() -> Facts:
    return {"version": gatefill.__version__, "folder": _short(Path(gatefill.__file__).parent)}


def _system() -> Facts:
    found: Facts = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "executable": _short(Path(sys.executable)),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": cores(),
    }
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        found["memory_bytes"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    from llvmlite import binding

    has = binding.get_host_cpu_features()
    found["cpu"] = binding.get_host_cpu_name()
    found["cpu_features"] = [name for name in _FEATURES if has.get(name)]
    return found


def _packages() -> Facts:
    """Return the version of each package that gatefill can use, None for missing ones."""
    found: Facts = {}
    for line in importlib.metadata.requires("gatefill") or []:
        name = line.partition(";")[0].strip()
        for sign in "[<>=!~ (":
            name = name.partition(sign)[0]
        if name != "gatefill":
            found[name] = _version(name)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _runtimes() -> Facts:
    def of_onnxruntime() -> Facts:
        onnxruntime = import_onnxruntime()
        providers = onnxruntime.get_available_providers()
        return {"version": onnxruntime.__version__, "providers": providers}

    def of_torch() -> Facts:
        torch = import_module("torch")
        found = {"version": torch.__version__, "cuda": torch.version.cuda}
        return found | {"threads": torch.get_num_threads()}

    found = {"onnxruntime": _safely(of_onnxruntime)}
    return found | ({"torch": _safely(of_torch)} if installed("torch") else {})


def _devices() -> Facts:
    """Return the values that `device` accepts, each with a description."""
    found: Facts = {"cpu": f"{cores()} threads"}
    if installed("torch"):
        torch = import_module("torch")
        for number in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(number)
            found[f"cuda:{number}"] = f"{card.name}, {card.total_memory >> 20} MiB"
        if torch.backends.mps.is_available():
            found["mps"] = "Apple GPU"
    return found


def _environment() -> Facts:
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


def _caches() -> Facts:
    """Return the cache folders and the free disk space."""
    from gatefill.compiling import cache_folder
    from gatefill.masks.models import MODELS
    from gatefill.packages import default_folder

    found: Facts = {"kernels": None}  # no cache: every process compiles
    folder = cache_folder()
    if folder is not None:
        compiled = len(list(folder.glob("*.kernel")))
        found["kernels"] = {"folder": _short(folder), "compiled": compiled}
    fetched = default_folder()
    there = [model.name for model in MODELS if (fetched / model.name).is_file()]
    found["fetched"] = {"folder": _short(fetched), "networks": there}
    if installed("hub"):
        hub = import_module("huggingface_hub.constants")
        found["hub"] = {"folder": _short(Path(hub.HF_HUB_CACHE))}
    temporary = tempfile.gettempdir()
    free = shutil.disk_usage(temporary).free
    return found | {"temporary": {"folder": _short(Path(temporary)), "free_bytes": free}}


def _self_test() -> Facts:
    """Fill a hole in stripes and check that known pixels are unchanged and the stripes continue."""
    photo = np.resize(np.array(_STRIPES, np.uint8).repeat(3, axis=0), (128, 3))
    photo = np.ascontiguousarray(np.broadcast_to(photo, (96, 128, 3)))
    mask = np.zeros((96, 128), bool)
    mask[40:56, 50:80] = True
    damaged = photo.copy()
    damaged[mask] = 0

    started = time.perf_counter()
    inpaint = gatefill.load()
    loaded = time.perf_counter()
    first = inpaint(damaged, mask)
    again = time.perf_counter()
    second = inpaint(damaged, mask)
    done = time.perf_counter()

    def error(pixels: Any) -> float:
        return float(np.abs(pixels - photo[mask].astype(float)).mean())

    filled = np.asarray(first)
    flat = error(photo[~mask].mean(axis=0))
    faults = []
    if not np.array_equal(filled[~mask], photo[~mask]):
        faults.append("pixels outside the hole changed")
    if not np.array_equal(filled, np.asarray(second)):
        faults.append("two fills of one photo differ")
    if error(filled[mask]) > flat / 2:
        faults.append("the hole was not continued from its surroundings")
    return {
        "ok": not faults,
        "method": first.method,
        "faults": faults,
        "load_seconds": round(loaded - started, 3),
        "first_fill_seconds": round(again - loaded, 3),
        "second_fill_seconds": round(done - again, 3),
        "peak_memory_bytes": peak_memory(),
    }


def _short(path: Path) -> str:
    """Return the path with the home folder as ``~``: other people read the report."""
    home = Path.home()
    return str(Path("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)
