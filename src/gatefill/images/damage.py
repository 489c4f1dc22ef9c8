"""Telling damaged files from faults of gatefill's own."""

from __future__ import annotations

import struct
import zlib

import cv2

from gatefill.errors import GatefillError


class DamagedError(ValueError):
    """Bytes that are not what their format says."""


# What reading bytes that are not what they should be raises in our own code.
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
    """Whether an exception raised while a file was read or written is gatefill's own fault.

    Libraries raise nearly everything there is for damaged files. In gatefill's code, anything but
    a few kinds is a bug, and so is a failed assertion or an unknown name wherever it is; the lack
    of memory is nobody's fault.
    """
    if isinstance(error, (AssertionError, NameError, ImportError, MemoryError)):
        return True
    if isinstance(error, _DAMAGE):
        return False
    trace, raised_in = error.__traceback__, ""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] != "numpy":  # which raises for what it is given
            raised_in = module
        trace = trace.tb_next
    return raised_in.partition(".")[0] == "gatefill"
