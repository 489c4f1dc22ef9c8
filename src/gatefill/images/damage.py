"""Distinguishes damaged files from bugs in gatefill."""

from __future__ import annotations

import struct
import zlib

import cv2

from gatefill.errors import GatefillError


class DamagedError(ValueError):
    """Raised for bytes that do not follow their format."""


# The exceptions that our own code raises when it reads malformed bytes.
_DAMAGE = (
    DamagedError,
    GatefillError,
    OSError,
    EOFError,
    IndexError,
    OverflowError,
    UnicodeDecodeError,
    struct.error,
    zlib.error,
    cv2.error,
)


def is_ours(error: Exception) -> bool:
    """Return whether an exception raised while reading or writing a file is a bug in gatefill.

    Libraries raise all kinds of exceptions for damaged files. In gatefill's code, all but a few
    types are bugs; a failed assertion or an unknown name is a bug anywhere; lack of memory never
    is.
    """
    if isinstance(error, (AssertionError, NameError, ImportError, MemoryError)):
        return True
    if isinstance(error, _DAMAGE):
        return False
    trace, raised_in = error.__traceback__, ""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] != "numpy":  # numpy raises for the input it gets
            raised_in = module
        trace = trace.tb_next
    return raised_in.partition(".")[0] == "gatefill"
