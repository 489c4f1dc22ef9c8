"""List the licenses of all packages that gatefill installs, as a Markdown table.

    python scripts/licenses.py [--check]

Follows the requirements of the core and of every extra through the packages that are installed
here; those that are only needed to develop gatefill are left out. With ``--check`` a license that
asks more of gatefill's users than to keep a notice ends it with status 1; NVIDIA's libraries, which
come with some builds of PyTorch, are listed only. Needs pip-licenses.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text("utf-8"))
# Of these and their combinations; the MPL asks for changes to its own files only.
PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|ISC|Python Software|PSF|Zlib|CC0|MPL|Mozilla|HPND|Unlicense|BSL-1\.0|0BSD"
)
COPYLEFT = re.compile(r"A?GPL|General Public License", re.IGNORECASE)
# What the packages' metadata leave out, as their LICENSE files have it.
KNOWN = {"namex": "Apache-2.0"}
# What PyTorch's CUDA builds bring, under NVIDIA's own terms. The CPU builds need none of it.
OF_CUDA = re.compile(r"(nvidia|cuda)-")


def parts() -> dict[str, str]:
    """The part of gatefill that first needs a package, by the package's name."""
    found: dict[str, str] = {}
    extras = PROJECT["project"]["optional-dependencies"]
    everything = {"core": PROJECT["project"]["dependencies"], **extras}
    for part, lines in everything.items():
        pending = [Requirement(line) for line in lines]
        while pending:
            wanted = pending.pop()
            name = canonicalize_name(wanted.name)
            if name == "gatefill" or name in found or not applies(wanted):
                continue
            try:
                needs = distribution(name).requires or []
            except PackageNotFoundError:
                continue  # of another platform, or an extra that is not installed
            found[name] = part
            pending += [
                each for each in map(Requirement, needs) if applies(each, wanted.extras | {""})
            ]
    return found


def applies(requirement: Requirement, extras: set[str] | None = None) -> bool:
    """Whether a requirement holds on this machine, with some extras of its package."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""})


def licenses(names: list[str]) -> dict[str, tuple[str, str]]:
    """Version and license of packages."""
    command = (sys.executable, "-m", "piplicenses", "--from", "mixed", "--format", "json")
    done = subprocess.run(
        [*command, "--packages", *names], stdout=subprocess.PIPE, text=True, check=True
    )
    rows = {canonicalize_name(each["Name"]): each for each in json.loads(done.stdout)}
    return {
        name: (row["Version"], KNOWN.get(name, row["License"].replace("; ", " and ")))
        for name, row in rows.items()
    }


def faults(found: dict[str, str]) -> list[str]:
    """The packages whose license asks for more than a notice. found: licenses by name."""
    return [
        f"{name}: {license}"
        for name, license in found.items()
        if (COPYLEFT.search(license) or not PERMISSIVE.search(license)) and not OF_CUDA.match(name)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail on licenses that bind users")
    checked = parser.parse_args().check
    needed_by = parts()
    found = licenses(sorted(needed_by))
    order = list(dict.fromkeys(needed_by.values()))
    print("| package | version | license | needed by |\n|---|---|---|---|")
    for name in sorted(found, key=lambda name: (order.index(needed_by[name]), name)):
        version, license = found[name]
        print(f"| {name} | {version} | {license} | {needed_by[name]} |")
    wrong = faults({name: license for name, (_, license) in found.items()})
    if checked and wrong:
        sys.exit("expected licenses that only ask for a notice, got " + "; ".join(wrong))


if __name__ == "__main__":
    main()
