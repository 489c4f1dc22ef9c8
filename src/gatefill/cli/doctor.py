"""The verb that describes an installation for bug reports: doctor."""

from __future__ import annotations

from typing import Any

from gatefill import terminal
from gatefill.cli.app import Json, app


@app.command
def doctor(*, json: Json = False) -> int:
    """Show versions, runtimes, devices and caches, and fill a small picture as a test.

    Please include the output in bug reports. It contains no names of your files, and your home
    folder is shown as ~. The exit status is 1 if the test fill fails.
    """
    from gatefill.doctor import examine

    found = examine()
    if json:
        terminal.show_json(found)
    for section, facts in [] if json else found.items():
        terminal.say(section.replace("_", " "), "bold")
        for name, value in facts.items():
            label = name.removesuffix("_bytes").replace("_", " ")
            terminal.say(f"  {label:<24}{_in_words(name, value)}")
    return terminal.OK if found["self_test"]["ok"] else terminal.BUG


def _in_words(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes"):
        return f"{value / 1e9:.2f} GB"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(
            f"{each.removesuffix('_bytes')} {_in_words(each, part)}" for each, part in value.items()
        )
    return str(value)
