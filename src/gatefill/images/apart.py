"""Reads and writes large files in a helper process, so that it can be cancelled at any time.

The libraries for image files process a whole photo in one call that cannot be interrupted: a
lossless WebP of 12 million pixels takes them many seconds. For work that can be cancelled, such
calls run in a helper process, which is killed on cancelling. Otherwise it waits for the next call,
and ends with the process that started it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import IO, Any, TypeVar

from gatefill.images.source import ImageError
from gatefill.stopping import is_stoppable, stop_point

LARGE = 2_000_000  # pixels from which a call runs in a helper process
PATIENCE = 0.1  # seconds between two stop points

Result = TypeVar("Result")


def call(function: Callable[..., Result], pixels: int, *arguments: Any) -> Result:
    """Call a function of a module, in a helper process if it may take long and can be cancelled.

    Args:
        function: The function; arguments, result and errors are sent by pickle.
        pixels: Number of pixels it works on.
        *arguments: Its arguments.

    Raises:
        ImageError: If the helper process crashes on the file.
        Exception: Whatever the function or the stop point raises.
    """
    if pixels < LARGE or not is_stoppable():
        return function(*arguments)
    stop_point()
    helper = _Helper.take()
    try:
        found = helper.call(f"{function.__module__}:{function.__qualname__}", arguments)
    except BaseException:
        helper.end()
        raise
    _Helper.give(helper)
    result: Result
    result, error = found
    if error is not None:
        raise error
    return result


def warm_up() -> None:
    """Start a helper process, so that the first call does not wait for it."""
    _Helper.give(_Helper())


class _Helper:
    """A process that executes one call after the other."""

    _idle: list[_Helper] = []  # noqa: RUF012 - shared by all
    _lock = threading.Lock()
    _owner = os.getpid()

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from gatefill.images.apart import serve; serve()"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl+C goes only to the process that started it
        )

    @classmethod
    def take(cls) -> _Helper:
        with cls._lock:
            if cls._owner != os.getpid():  # after a fork: these helpers belong to the parent
                cls._idle, cls._owner = [], os.getpid()
            while cls._idle:
                helper = cls._idle.pop()
                if helper.process.poll() is None:
                    return helper
        return cls()

    @classmethod
    def give(cls, helper: _Helper) -> None:
        with cls._lock:
            cls._idle.append(helper)

    def call(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        link = self.process.stdin, self.process.stdout

        def exchange() -> Any:
            _send(link[0], (name, arguments))
            return _receive(link[1])

        with ThreadPoolExecutor(1, "gatefill-apart") as pool:
            waiting = pool.submit(exchange)
            try:
                while not wait([waiting], PATIENCE).done:
                    stop_point()
            except BaseException:
                self.end()  # this ends the exchange, too
                raise
            try:
                found: tuple[Any, BaseException | None] = waiting.result()
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                raise ImageError(
                    "the file crashed its decoder or encoder", code="image.crash"
                ) from error
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for link in (self.process.stdin, self.process.stdout):
            if link is not None:
                with contextlib.suppress(OSError):
                    link.close()


def _send(link: IO[bytes], value: Any) -> None:
    """Write a value; its arrays are written without a copy."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(each.raw() for each in buffers)]
    pickle.dump([len(part) for part in parts], link)
    for part in parts:
        link.write(part)
    link.flush()


def _receive(link: IO[bytes]) -> Any:
    parts = []
    for size in pickle.load(link):
        part = bytearray(size)
        view, filled = memoryview(part), 0
        while filled < size:
            count = link.readinto(view[filled:])  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            filled += count
        parts.append(part)
    return pickle.loads(parts[0], buffers=parts[1:])


def serve() -> None:
    """Answer calls: the main loop of the helper process."""
    link = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not get into the answers
    ended = EOFError, pickle.UnpicklingError, BrokenPipeError  # the caller, perhaps in mid-message
    with contextlib.suppress(*ended, KeyboardInterrupt):
        while True:
            name, arguments = _receive(link[0])
            module, _, function = name.partition(":")
            outcome: tuple[Any, BaseException | None]
            try:
                outcome = getattr(importlib.import_module(module), function)(*arguments), None
            except Exception as error:
                outcome = None, error
            del arguments
            _send(link[1], outcome)
            del outcome
