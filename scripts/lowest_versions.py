"""Print the lowest version that pyproject.toml allows of each requirement, as constraints for pip.

    python scripts/lowest_versions.py torch train > lowest.txt
    pip install --constraint lowest.txt '.[torch,train]'

The arguments are the extras to be installed besides the core.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements(extras: list[str]) -> list[Requirement]:
    """Those of the core and of some extras, with the extras that these name."""
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    lines = list(project["dependencies"])
    pending, seen = list(extras), set[str]()
    while pending:
        extra = pending.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for line in project["optional-dependencies"][extra]:
            if nested := re.fullmatch(r"gatefill\[(.+)\]", line):
                pending += [each.strip() for each in nested.group(1).split(",")]
            else:
                lines.append(line)
    return [Requirement(line) for line in lines]


def lowest(requirement: Requirement) -> str | None:
    """``name==version`` of the lower bound; None where the machine needs none."""
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    (bound,) = [each.version for each in requirement.specifier if each.operator in (">=", "==")]
    return f"{requirement.name}=={bound}"


if __name__ == "__main__":
    pins = {lowest(each) for each in requirements(sys.argv[1:])} - {None}
    print("\n".join(sorted(map(str, pins))))
