"""Pipes on the command line: the meaning of ``-``, and file names that begin with it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from gatefill.errors import ConfigError

PIPE = Path("-")  # standard input, or standard output

_OUTPUTS = {"-o", "--output"}
_OPTION = re.compile(r"-[A-Za-z](=.*)?|--.*")


def replace_closed_streams() -> None:
    """Put the null device in the place of standard streams that the process started without.

    Python leaves them out, and the next file that is opened would get their numbers, so that what
    libraries write there would end in it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for the whole run


def _is_closed(stream: TextIO) -> bool:
    """Return whether `replace_closed_streams` put it there; a redirection has another name."""
    return getattr(stream, "name", None) == os.devnull


def with_plain_names(arguments: Sequence[str]) -> list[str]:
    """Rewrite arguments so that only options begin with a hyphen.

    ``-`` becomes ``./-``, which is the same path, and so do names such as ``-photo.jpg``: files
    that exist, and the argument of ``-o``. After ``--`` nothing is an option.

    Raises:
        ConfigError: For an option after ``--``.
    """
    found: list[str] = []
    for number, argument in enumerate(arguments):
        if argument == "--":
            for name in arguments[number + 1 :]:
                if _OPTION.fullmatch(name) and not Path(name).exists():
                    raise ConfigError(
                        f"expected options before --, which only names follow, got {name:.80}",
                        code="cli.option_after_hyphens",
                    )
            return [*found, *arguments[number:]]
        is_name = argument == "-" or (
            argument.startswith("-")
            and not _OPTION.fullmatch(argument)
            and (Path(argument).exists() or (found[-1:] and found[-1] in _OUTPUTS))
        )
        found.append(f"./{argument}" if is_name else argument)
    return found


def open_inputs(paths: Sequence[Path | None]) -> list[Path | BinaryIO | None]:
    """Replace ``-`` by standard input. Raises ConfigError if it is given twice."""
    if sum(path == PIPE for path in paths) > 1:
        raise ConfigError(
            "expected at most one input from standard input, got '-' twice", code="cli.two_pipes"
        )
    if PIPE in paths and _is_closed(sys.stdin):
        raise ConfigError("expected an open standard input, got a closed one", code="cli.closed")
    return [sys.stdin.buffer if path == PIPE else path for path in paths]


def check_stdout(*, json: bool) -> None:
    """Raise ConfigError if standard output cannot take an image."""
    if json:
        raise ConfigError(
            "expected --json with an output file: standard output holds the photo",
            code="cli.json_and_pipe",
        )
    if _is_closed(sys.stdout):
        raise ConfigError("expected an open standard output, got a closed one", code="cli.closed")
    if sys.stdout.isatty():
        raise ConfigError(
            "expected standard output to lead to a file or a program, not to a terminal",
            code="cli.terminal",
        )


def write_stdout(data: bytes) -> None:
    """Write bytes to standard output."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
