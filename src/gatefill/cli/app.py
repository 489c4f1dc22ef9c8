"""The application that all verbs belong to, and the options they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Group, Parameter, Token, convert

from gatefill import __version__
from gatefill.errors import ConfigError


def _converted(kind: Any, tokens: Sequence[Token]) -> Any:
    """Convert as cyclopts does, but without rounding numbers that are to be whole."""
    if kind is int:
        for token in tokens:
            if "." in token.value:
                raise ConfigError(
                    f"expected a whole number, got {token.value:.80}", code="cli.whole"
                )
    return convert(kind, tokens)


app = App(
    name="gatefill",
    version=__version__,
    help="Fill any hole in any photo: remove people, wires, dust, scratches and watermarks.",
    help_epilogue=(
        "`gatefill VERB --help` explains one verb.\n\n"
        "Exit status: 0 done, 2 wrong input, 3 some of many photos failed, 1 a bug, which --debug "
        "(or GATEFILL_DEBUG=1) shows in full."
    ),
    help_format="markdown",
    version_flags=["--version", "-V"],
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(converter=_converted),
)
app["--help"].group = app["--version"].group = Group("Options")

Json = Annotated[
    bool, Parameter(negative="", show_default=False, help="Print one JSON object, nothing else.")
]
Switch = Annotated[bool, Parameter(negative="", show_default=False)]
