"""The command line: one function per verb, one file per group of verbs."""

from __future__ import annotations

import os
import sys
import traceback

from gatefill import terminal
from gatefill.cli import (  # each module adds its verbs to the application
    batch,
    compare,
    data,
    doctor,
    export,
    extend,
    fill,
    make_masks,
    select,
    serve,
    train,
    weights,
)
from gatefill.cli.app import app
from gatefill.cli.pipes import replace_closed_streams, with_plain_names
from gatefill.errors import ConfigError

__all__ = [
    "app",
    "batch",
    "compare",
    "data",
    "doctor",
    "export",
    "extend",
    "fill",
    "make_masks",
    "run",
    "select",
    "serve",
    "train",
    "weights",
]


def run(arguments: list[str]) -> int:
    """Run a command line and return the exit status. Errors are printed, not raised."""
    replace_closed_streams()
    debug = bool(os.environ.get("GATEFILL_DEBUG"))
    if "--debug" in arguments:
        debug = True
        arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        if any("\0" in argument for argument in arguments):
            raise ConfigError("expected arguments without null bytes, got one", code="cli.null")
        if empty := _without_value(arguments):
            raise ConfigError(f"expected a value {empty}, got an empty one", code="cli.empty")
        with terminal.log_shown():
            status = app(
                with_plain_names(arguments),
                console=terminal.out(),
                error_console=terminal.err(),
                exit_on_error=False,
                print_error=False,
                result_action="return_value",
            )
        sys.stdout.flush()
        return status if isinstance(status, int) else terminal.OK
    except KeyboardInterrupt:
        terminal.fail("interrupted")
        return terminal.INTERRUPTED
    except BrokenPipeError:
        # The reader of the pipe has closed it, as `head` does. Python would report that again at
        # exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return terminal.OK
    except Exception as error:
        if debug:
            traceback.print_exc()
        return terminal.explain(error, debug=debug)


def _without_value(arguments: list[str]) -> str | None:
    """Describe the place of an empty argument; None without any.

    An empty argument, such as an unset variable in a script, would be taken for the current folder
    or for the default. A service may have an empty root path.
    """
    before = "as the command"
    for argument in arguments:
        if not argument and before != "for --root-path":
            return before
        name, sign, value = argument.partition("=")
        if name.startswith("--") and sign and not value and name != "--root-path":
            return f"for {name}"
        before = f"for {argument}" if argument.startswith("-") else f"behind {argument:.80}"
    return None
