"""Compiling the inner loops by numba, and keeping their machine code.

Importing numba and reading its own cache take longer than a small fill. So what numba compiles is
kept as an object file of one function for one kind of arguments, and loaded by llvmlite alone;
numba itself is imported only where something has to be compiled.
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

# Windows loads object files by other means.
KEEPS = sys.platform != "win32" and ctypes.sizeof(ctypes.c_void_p) == 8
DESTRUCTOR = "NRT_MemInfo_call_dtor"  # for arrays that numba owns, which none of these are
LAYOUT = 0x1 | 0x2 | 0x100  # of NumPy's flags: C or Fortran order, aligned

Kind = tuple[Any, ...]
"""The types of arguments: of numbers, type and dimensions of arrays, or several in a tuple."""


class Bundle:
    """Beside NamedTuple, a base of tuples of arguments that are given again and again."""

    seen: tuple[Kind, list[Any]] | None = None  # what `Kernel` made of them


class Kernel:
    """A function that is compiled at its first call, or loaded.

    It lets go of the interpreter's lock. Its arguments are integers, bool, float32, arrays, and
    tuples of such. It allocates no arrays and returns nothing, so that its machine code can be
    called without numba; another function works as well, but needs numba in each process.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.function: Any = function
        self.options = options
        self._ready: dict[Kind, Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        return self._ready_for(arguments)(*arguments)

    def bound(self, *arguments: Any) -> Callable[[int, int], None]:
        """The function of its first two arguments, which are integers; the others are given here.

        They are looked at once, a `Bundle` even once for all calls: it takes longer than the work
        of a short piece.
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
        """The function as numba has it, which other kernels call."""
        numba = import_module("numba")
        function = _with_compiled_globals(self.function)
        try:  # where machine code is not kept here, numba's own cache is better than none
            return numba.njit(nogil=True, cache=not KEEPS, **self.options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            return numba.njit(nogil=True, **self.options)(function)

    def _compiled(self, arguments: tuple[Any, ...]) -> _Kept | None:
        """Machine code that needs nothing of numba; None for a function that does."""
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
    """Machine code of one function for one kind of arguments."""

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
        """The function, to be called with arguments of the kind that it was made for."""
        return _Loaded(self, kind)


class _Loaded:
    """Machine code as a function."""

    def __init__(self, kept: _Kept, kind: Kind) -> None:
        self._symbol = kept.symbol
        self._engine = _engine(kept.code)  # the code lives as long as this
        pointer = ctypes.c_void_p
        # numba's convention: where results and an exception would go, then all parts of arguments.
        parts = pointer, pointer, *_c_types(kind)
        address = self._engine.get_function_address(kept.symbol)
        self._call = ctypes.CFUNCTYPE(ctypes.c_int, *parts)(address)

    def __call__(self, *arguments: Any) -> None:
        self._run(_parts(arguments))

    def bound(self, arguments: tuple[Any, ...]) -> Callable[[int, int], None]:
        """See `Kernel.bound`."""
        return partial(self._run_piece, arguments, _parts(arguments))

    def _run_piece(self, _alive: object, parts: list[Any], start: int, stop: int) -> None:
        """_alive: the arrays that the parts point to, so that they stay."""
        self._run((start, stop, *parts))

    def _run(self, parts: Sequence[Any]) -> None:
        result, problem = ctypes.c_void_p(), ctypes.c_void_p()
        status = self._call(ctypes.addressof(result), ctypes.addressof(problem), *parts)
        if status:
            raise AssertionError(f"the kernel {self._symbol} failed with status {status}")


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorate a function to be a kernel; options: of numba's `njit`."""
    return lambda function: Kernel(function, options)


def inlined(function: Callable[..., Any]) -> Kernel:
    """Decorate a function that kernels call."""
    return Kernel(function, {"inline": "always"})


class Emitted:
    """What kernels call and LLVM's code is given for; made by numba where it is needed."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function: Any = function

    def __call__(self, *_: Any) -> Any:
        raise TypeError(f"expected a kernel to call {self.function.__name__}, got Python")

    @cached_property
    def dispatcher(self) -> Any:
        return self.function()


def emitted(function: Callable[[], Any]) -> Emitted:
    """Decorate a function that returns one of numba's intrinsics, for kernels to call."""
    return Emitted(function)


def _called(function: Any) -> dict[str, Kernel | Emitted]:
    """What a function calls of what is compiled."""
    found = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    return {name: each for name, each in found.items() if isinstance(each, Kernel | Emitted)}


def _with_compiled_globals(function: Any) -> FunctionType:
    """The function with the kernels that it calls as numba has them."""
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
    """The types of `_parts`."""
    for each in kind:
        if isinstance(each, str):
            yield np.ctypeslib.as_ctypes_type(np.dtype(each))
        elif each and isinstance(each[0], np.dtype):  # an array
            yield from (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
            yield from (ctypes.c_void_p, *[ctypes.c_int64] * (2 * each[1]))
        else:
            yield from _c_types(each)


def _parts(arguments: Any) -> list[Any]:
    """Arguments as numba's machine code takes them."""
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
    """`_kind` and `_parts` of a tuple."""
    if not isinstance(arguments, Bundle):
        return _kind(arguments), _parts(arguments)
    if arguments.seen is None:
        arguments.seen = _kind(arguments), _parts(arguments)
    return arguments.seen


def _place(array: np.ndarray) -> int:
    """Where the array's data begins."""
    try:  # a fifth of the time that the array's own description of itself takes
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # read-only, with gaps, or of no elements
        return int(array.__array_interface__["data"][0])


def _engine(code: bytes) -> Any:
    """The machine code, loaded and ready."""
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
    # The code names it, but arrays that Python owns never come there.
    if llvm.address_of_symbol(DESTRUCTOR) is None:
        llvm.add_symbol(DESTRUCTOR, ctypes.cast(_nothing, ctypes.c_void_p).value)


_nothing = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)


def _fingerprint(function: Any, options: dict[str, Any], kind: Kind) -> str:
    """Changes with whatever the machine code depends on."""
    sources = [_source(file) for file in sorted(_files(function))]
    parts = _environment(), sources, sorted(options.items()), kind
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _files(function: Any) -> set[str]:
    """Those of a function and of all that it calls of what is compiled."""
    called = (_files(each.function) for each in _called(function).values())
    return {function.__code__.co_filename}.union(*called)


@lru_cache(maxsize=1)
def _environment() -> tuple[str, ...]:
    llvm = import_module("llvmlite.binding")
    versions = version("numba"), version("llvmlite")
    # numba compiles for another processor where it is told so, as in images for any machine.
    name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name == "generic" else llvm.get_host_cpu_features().flatten()
    return *versions, llvm.get_default_triple(), name, features


@lru_cache(maxsize=16)
def _source(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:  # in an archive
        return version("gatefill").encode()


def cache_folder() -> Path | None:
    """Where machine code is kept; None where it is not, and every process compiles anew."""
    return next(filter(_writable, _folders()), None) if KEEPS else None


def _folders() -> list[Path]:
    """Where machine code may lie."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return [Path(chosen)]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [Path(__file__).parent / "__pycache__", Path(cache) / "gatefill"]


_telling = threading.Lock()


def _tell_of_compiling() -> None:
    """Log, once, that something is compiled; two threads may begin at the same moment."""
    with _telling:
        _told_of_compiling()


@lru_cache(maxsize=1)
def _told_of_compiling() -> None:
    if cache_folder() is None:
        log.info(
            "compiling the PatchMatch kernels (some seconds), for this process only: no folder for "
            "their machine code can be written; NUMBA_CACHE_DIR may name one"
        )
    else:
        log.info("compiling the PatchMatch kernels, once on this machine (some seconds)")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
