"""Compiles inner loops with numba and keeps their machine code on disk.

Importing numba and reading its own cache take longer than a small fill. Each compiled function is
therefore kept as an object file for one signature, which llvmlite loads without numba; numba itself
is imported only when something has to be compiled.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import os
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from gatefill.stopping import left_behind

log = logging.getLogger(__name__)

# Windows loads object files in another way.
KEEPS = sys.platform != "win32" and ctypes.sizeof(ctypes.c_void_p) == 8
DESTRUCTOR = "NRT_MemInfo_call_dtor"  # frees arrays that numba owns; there are none here
LAYOUT = 0x1 | 0x2 | 0x100  # flags of NumPy: C or Fortran order, aligned

Kind = tuple[Any, ...]
"""A signature: types of scalars; dtype, dimensions and layout of arrays; nested for tuples."""


class Bundle:
    """A base class, beside NamedTuple, for tuples of arguments that are passed many times."""

    seen: tuple[Kind, list[Any]] | None = None  # the signature and the converted arguments


class Kernel:
    """A function that is compiled, or loaded from disk, at its first call.

    It releases the interpreter lock. Its arguments are integers, bool, float32, arrays, and tuples
    of these. It must allocate no arrays and return nothing, so that its machine code can be called
    without numba; a function that does either works as well, but needs numba in each process.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.function: Any = function
        self.options = options
        self._ready: dict[Kind, Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        return self._ready_for(arguments)(*arguments)

    def bound(self, *arguments: Any) -> Callable[[int, int], None]:
        """Bind all arguments but the first two, which are integers.

        The arguments are converted once, those in a `Bundle` once for all calls: converting takes
        longer than processing a short piece.
        """
        ready = self._ready_for((0, 0, *arguments))
        if isinstance(ready, _Loaded):
            return ready.bound(arguments)
        return lambda start, stop: ready(start, stop, *arguments)

    def _ready_for(self, arguments: tuple[Any, ...]) -> Callable[..., Any]:
        kind = _kind(arguments)
        ready = self._ready.get(kind)
        if ready is None:
            ready = left_behind(lambda: self._made_ready_once(kind, arguments))
        return ready

    def _made_ready_once(self, kind: Kind, arguments: tuple[Any, ...]) -> Callable[..., Any]:
        with self._lock:
            ready = self._ready.get(kind) or self._made_ready(kind, arguments)
            self._ready[kind] = ready
        return ready

    def _made_ready(self, kind: Kind, arguments: tuple[Any, ...]) -> Any:
        name = f"{self.function.__name__}-{_fingerprint(self.function, self.options, kind)}.kernel"
        for place in _folders() if KEEPS else ():
            if (kept := _Kept.read(place / name)) is not None:
                return kept.loaded(kind)
        _tell_of_compiling()
        folder = cache_folder()
        if folder is not None and (made := self._compiled(arguments)) is not None:
            made.write(folder / name)
            return made.loaded(kind)
        return self.dispatcher

    @cached_property
    def dispatcher(self) -> Any:
        """The function in numba's form, for other kernels to call."""
        numba = import_module("numba")
        function = _with_compiled_globals(self.function)
        try:  # where gatefill keeps no machine code, numba's own cache is used
            return numba.njit(nogil=True, cache=not KEEPS, **self.options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            return numba.njit(nogil=True, **self.options)(function)

    def _compiled(self, arguments: tuple[Any, ...]) -> _Kept | None:
        """Return machine code that does not depend on numba; None if the function needs numba."""
        numba = import_module("numba")
        plain = numba.njit(
            nogil=True,
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
            error_model="numpy",
            **self.options,
        )(_with_compiled_globals(self.function))
        signature = tuple(numba.typeof(each) for each in arguments)
        plain.compile(signature)
        made = plain.overloads[signature]
        library = made.library
        needed = set(re.findall(r'^declare[^@]*@"?([^"(]+)"?\(', library.get_llvm_str(), re.M))
        others = [each for each in needed if not each.startswith("llvm.") and each != DESTRUCTOR]
        if others or made.signature.return_type != numba.types.none:
            return None
        code = library.serialize_using_object_code()[2][0]
        return _Kept(made.fndesc.llvm_func_name, code)


@dataclass(frozen=True)
class _Kept:
    """The machine code of one function for one signature."""

    symbol: str
    code: bytes

    @classmethod
    def read(cls, path: Path) -> _Kept | None:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        head, _, code = data.partition(b"\n")
        try:
            note = json.loads(head)
        except ValueError:
            return None
        whole = hashlib.sha256(code).hexdigest() == note["sha256"]
        return cls(note["symbol"], code) if whole else None

    def write(self, path: Path) -> None:
        note = {"symbol": self.symbol, "sha256": hashlib.sha256(self.code).hexdigest()}
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            beside.write_bytes(json.dumps(note).encode() + b"\n" + self.code)
            beside.replace(path)
        except OSError as problem:
            log.info("the compiled kernel cannot be kept: %s", problem)
        finally:
            beside.unlink(missing_ok=True)

    def loaded(self, kind: Kind) -> _Loaded:
        """Return the function, callable with arguments of the signature it was compiled for."""
        return _Loaded(self, kind)


class _Loaded:
    """Loaded machine code as a callable."""

    def __init__(self, kept: _Kept, kind: Kind) -> None:
        self._symbol = kept.symbol
        self._engine = _engine(kept.code)  # must stay alive as long as the code is called
        pointer = ctypes.c_void_p
        # numba's calling convention: pointers for the result and the exception, then all arguments.
        parts = pointer, pointer, *_c_types(kind)
        address = self._engine.get_function_address(kept.symbol)
        self._call = ctypes.CFUNCTYPE(ctypes.c_int, *parts)(address)

    def __call__(self, *arguments: Any) -> None:
        self._run(_parts(arguments))

    def bound(self, arguments: tuple[Any, ...]) -> Callable[[int, int], None]:
        """See `Kernel.bound`."""
        return partial(self._run_piece, arguments, _parts(arguments))

    def _run_piece(self, _alive: object, parts: list[Any], start: int, stop: int) -> None:
        """Run one piece. _alive: the arrays that `parts` points to, kept from being freed."""
        self._run((start, stop, *parts))

    def _run(self, parts: Sequence[Any]) -> None:
        result, problem = ctypes.c_void_p(), ctypes.c_void_p()
        status = self._call(ctypes.addressof(result), ctypes.addressof(problem), *parts)
        if status:
            raise AssertionError(f"the kernel {self._symbol} failed with status {status}")


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorate a function as a kernel; the options are those of numba's `njit`."""
    return lambda function: Kernel(function, options)


def inlined(function: Callable[..., Any]) -> Kernel:
    """Decorate a function that is compiled into the kernels that call it."""
    return Kernel(function, {"inline": "always"})


class Emitted:
    """A numba intrinsic that kernels call, created when something is compiled."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function: Any = function

    def __call__(self, *_: Any) -> Any:
        raise TypeError(f"expected a kernel to call {self.function.__name__}, got Python")

    @cached_property
    def dispatcher(self) -> Any:
        return self.function()


def emitted(function: Callable[[], Any]) -> Emitted:
    """Decorate a function that returns a numba intrinsic for kernels to call."""
    return Emitted(function)


def _called(function: Any) -> dict[str, Kernel | Emitted]:
    """Return the kernels and intrinsics that a function calls, by name."""
    found = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    return {name: each for name, each in found.items() if isinstance(each, Kernel | Emitted)}


def _with_compiled_globals(function: Any) -> FunctionType:
    """Return the function with the kernels it calls replaced by their numba forms."""
    kernels = {name: each.dispatcher for name, each in _called(function).items()}
    return FunctionType(function.__code__, function.__globals__ | kernels, function.__name__)


def _kind(arguments: Any) -> Kind:
    found: list[Any] = []
    for each in arguments:
        if isinstance(each, np.ndarray):
            found.append((each.dtype, each.ndim, each.flags.num & LAYOUT))
        elif isinstance(each, tuple):
            found.append(_seen(each)[0])
        elif type(each) is int:
            found.append("<i8")  # whatever its value
        else:
            found.append(np.dtype(type(each)).str)
    return tuple(found)


def _c_types(kind: Kind) -> Iterator[Any]:
    """Yield the C types of the values that `_parts` returns."""
    for each in kind:
        if isinstance(each, str):
            yield np.ctypeslib.as_ctypes_type(np.dtype(each))
        elif each and isinstance(each[0], np.dtype):  # an array
            yield from (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
            yield from (ctypes.c_void_p, *[ctypes.c_int64] * (2 * each[1]))
        else:
            yield from _c_types(each)


def _parts(arguments: Any) -> list[Any]:
    """Convert arguments to the values that numba's machine code expects."""
    found: list[Any] = []
    for each in arguments:
        if isinstance(each, np.ndarray):
            found += (None, None, each.size, each.itemsize, _place(each))
            found += (*each.shape, *each.strides)
        elif isinstance(each, tuple):
            found += _seen(each)[1]
        else:
            found.append(each.item() if isinstance(each, np.generic) else each)
    return found


def _seen(arguments: tuple[Any, ...]) -> tuple[Kind, list[Any]]:
    """Return the `_kind` and the `_parts` of a tuple."""
    if not isinstance(arguments, Bundle):
        return _kind(arguments), _parts(arguments)
    if arguments.seen is None:
        arguments.seen = _kind(arguments), _parts(arguments)
    return arguments.seen


def _place(array: np.ndarray) -> int:
    """Return the address of the array's data."""
    try:  # takes a fifth of the time of __array_interface__
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # read-only, not contiguous, or empty
        return int(array.__array_interface__["data"][0])


def _engine(code: bytes) -> Any:
    """Load machine code, ready to be called."""
    llvm = import_module("llvmlite.binding")
    _prepare_llvm()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


@lru_cache(maxsize=1)
def _prepare_llvm() -> None:
    llvm = import_module("llvmlite.binding")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # The code refers to this symbol, but never calls it for arrays that Python owns.
    if llvm.address_of_symbol(DESTRUCTOR) is None:
        llvm.add_symbol(DESTRUCTOR, ctypes.cast(_nothing, ctypes.c_void_p).value)


_nothing = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)


def _fingerprint(function: Any, options: dict[str, Any], kind: Kind) -> str:
    """Return a hash of everything that the machine code depends on."""
    sources = [_source(file) for file in sorted(_files(function))]
    parts = _environment(), sources, sorted(options.items()), kind
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _files(function: Any) -> set[str]:
    """Return the source files of a function and of all compiled functions it calls."""
    called = (_files(each.function) for each in _called(function).values())
    return {function.__code__.co_filename}.union(*called)


@lru_cache(maxsize=1)
def _environment() -> tuple[str, ...]:
    llvm = import_module("llvmlite.binding")
    versions = version("numba"), version("llvmlite")
    # numba compiles for another processor if these variables say so, as in portable images.
    name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name == "generic" else llvm.get_host_cpu_features().flatten()
    return *versions, llvm.get_default_triple(), name, features


@lru_cache(maxsize=16)
def _source(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:  # imported from an archive
        return version("gatefill").encode()


def cache_folder() -> Path | None:
    """Return the folder for machine code; None if none is writable and each process compiles."""
    return next(filter(_writable, _folders()), None) if KEEPS else None


def _folders() -> list[Path]:
    """Return the folders that may hold machine code, best first."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return [Path(chosen)]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [Path(__file__).parent / "__pycache__", Path(cache) / "gatefill"]


_telling = threading.Lock()


def _tell_of_compiling() -> None:
    """Log once that kernels are being compiled, also if two threads start at the same time."""
    with _telling:
        _told_of_compiling()


@lru_cache(maxsize=1)
def _told_of_compiling() -> None:
    if cache_folder() is None:
        log.info(
            "compiling the PatchMatch kernels (some seconds) for this process only: there is no "
            "writable folder to keep them in; set NUMBA_CACHE_DIR to one"
        )
    else:
        log.info("compiling the PatchMatch kernels, once on this machine (some seconds)")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
