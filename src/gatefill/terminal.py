"""Terminal output of the command line: errors, warnings, log messages, progress, results."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cyclopts import CycloptsError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from gatefill.errors import GatefillError, Warning
from gatefill.extras import MissingExtra

OK, BUG, USER_ERROR, PARTLY, INTERRUPTED = 0, 1, 2, 3, 130  # exit statuses

PATIENCE = 1.0  # seconds before a progress bar appears

# Options that help, by the code of an error or warning. Modules below the command line do not
# know its options.
_HINTS = {
    "checkpoint.damaged": "--start-from FILE",
    "checkpoint.missing": "--output",
    "compare.damaged": "--overwrite starts anew",
    "compare.no_cutouts": "--cutouts FOLDER names it",
    "compare.other_settings": "--overwrite starts anew",
    "config.fixed": "--output",
    "fetch.not_there": "run `gatefill fetch`",
    "image.pixels": "--max-pixels",
    "image.too_many_bytes": "--max-pixels raises it",
    "image.truncated": "--allow-truncated",
    "mask.all_hole": "--invert-mask if black marks the hole",
    "mask.empty": "--invert-mask if black marks the hole",
    "mask.feather": "--feather",
    "mask.inverted": "--invert-mask turns it round",
    "mask.labels": "--threshold 0 takes all labels",
    "mask.orientation": "--mask-as-stored",
    "mask.photo": "--threshold",
    "mask.rim": "--grow 4",
    "mask.size": "--resize-mask",
    "mask.turned": "--mask-as-stored",
    "masks.no_cutouts": "--cutout FILE",
    "method.needs_weights": "--weights FILE",
    "output.exists": "--overwrite allows it",
    "output.in_use": "--output",
    "select.no_model": "run `gatefill fetch selection`",
}


_PYTHONS_NAME = re.compile(r" \([a-z]+(?:_[a-z]+)*\)$")


class _Terminal(Console):
    """A console that leaves a closed pipe to the caller."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def out() -> Console:
    """Return a console for standard output, created anew so that it follows redirections.

    Where standard output is no terminal, lines are never wrapped, so that tables stay whole in
    files.
    """
    console = _Terminal(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console


def err() -> Console:
    """Return a console for standard error."""
    return _Terminal(stderr=True, highlight=False)


def in_words(told: GatefillError | Warning) -> str:
    """Return the sentence of an error or warning, with the option that helps."""
    hint = _HINTS.get(told.code)
    # A Python parameter in the text, such as "(resize_mask)", is replaced by the option's name.
    return f"{_PYTHONS_NAME.sub('', told.text)} ({hint})" if hint else told.text


def say(message: str, style: str = "", console: Console | None = None) -> None:
    """Print one line as it is: markup is not interpreted and long lines are not wrapped."""
    console = console or out()
    # Characters that the terminal cannot show, as in file names, are escaped.
    shown = message.encode(console.encoding, "backslashreplace").decode(console.encoding)
    console.print(Text(shown, style), soft_wrap=True)


def warn(message: str) -> None:
    say(f"gatefill: warning: {_one_line(message)}", "yellow", err())


def fail(message: str) -> None:
    say(f"gatefill: {_one_line(message)}", "red", err())


def explain(error: Exception, *, debug: bool = False) -> int:
    """Print an error in one line and return the exit status: 2 for user errors, 1 for bugs."""
    if isinstance(error, OSError) and error.strerror:
        fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    elif isinstance(error, GatefillError):
        fail(in_words(error))
    elif isinstance(error, (OSError, MissingExtra, CycloptsError)):
        fail(str(error))
    elif isinstance(error, MemoryError):
        fail("out of memory: a smaller photo, or --large crop, needs less")
    else:
        hint = "" if debug else "; --debug shows where"
        fail(f"this is a bug, please report it: {type(error).__name__}: {error}{hint}")
        return BUG
    return USER_ERROR


def show_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line of standard output, in ASCII for every terminal."""
    sys.stdout.write(json.dumps(value) + "\n")


def _one_line(message: str) -> str:
    return " ".join(message.split())


class LogToTerminal(logging.Handler):
    """Shows gatefill's log messages on standard error, warnings in yellow."""

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, Warning):
            warn(in_words(record.msg))
        elif record.levelno >= logging.WARNING:
            warn(record.getMessage())
            if record.exc_info:
                sys.stderr.write(logging.Formatter().formatException(record.exc_info) + "\n")
        else:
            say(f"gatefill: {_one_line(record.getMessage())}", "dim", err())


@contextmanager
def log_shown() -> Iterator[None]:
    """Show gatefill's log messages of level INFO and above while the block runs."""
    logger, handler = logging.getLogger("gatefill"), LogToTerminal(logging.INFO)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Callable[[float], None] | None]:
    """Show a bar on standard error for work that takes over a second.

    Yields the function that moves the bar; None if `quiet`, or if standard error is no terminal.
    """
    console = err()
    if quiet or not console.is_terminal:
        yield None
        return
    started = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task(label, total=1.0)

    def move(share: float) -> None:
        bar.update(task, completed=share)
        if not bar.live.is_started and share < 1 and time.monotonic() - started > PATIENCE:
            bar.start()

    try:
        yield move
    finally:
        bar.stop()
