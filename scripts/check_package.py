"""Build the package as it would be published, and try it as a stranger would.

    python scripts/check_package.py [--try] [--output dist]

Builds the sdist and, from it, the wheel; checks both with twine and against the largest size. With
``--try`` the wheel is installed into a fresh environment, whose size is measured, and run from
there, by pipx and by uvx. Needs the group `release` of pyproject.toml.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
MOST_MB = 25.0  # of the wheel
MOST_CORE_MB = 600.0  # of a fresh environment with the core install, without Python itself


def build(output: Path) -> Path:
    """Write sdist and wheel into the folder, check them, and return the wheel."""
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("gatefill-*"):
        old.unlink()
    run(sys.executable, "-m", "build", "--outdir", output, ROOT)
    packages = sorted(output.glob("gatefill-*"))
    run(sys.executable, "-m", "twine", "check", "--strict", *packages)
    for each in packages:
        print(f"{each.name}: {megabytes(each):.1f} MB")
    (wheel,) = output.glob("gatefill-*.whl")
    if megabytes(wheel) > MOST_MB:
        sys.exit(f"expected a wheel of at most {MOST_MB:.0f} MB, got {megabytes(wheel):.1f} MB")
    return wheel


def try_out(wheel: Path) -> None:
    """Install and run the wheel: with pip in a fresh environment, with pipx, with uvx."""
    with tempfile.TemporaryDirectory() as place:
        core = Path(place) / "core"
        venv.create(core, with_pip=True)
        programs = core / ("Scripts" if os.name == "nt" else "bin")
        before = megabytes(core)
        python = programs / "python"
        run(python, "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS, wheel)
        size = megabytes(core) - before
        print(f"core install: {size:.0f} MB in a fresh environment")
        if size > MOST_CORE_MB:
            sys.exit(f"expected a core install of at most {MOST_CORE_MB:.0f} MB")
        examine(programs / "gatefill")

        # Their caches, so that nothing of an earlier try is found again.
        fresh = {"PIPX_HOME": f"{place}/pipx", "UV_CACHE_DIR": f"{place}/uv"}
        limits = f"--constraint {CONSTRAINTS}"
        pipx = (sys.executable, "-m", "pipx", "run", "--no-cache", "--pip-args", limits)
        examine(*pipx, "--spec", wheel, "gatefill", **fresh)
        uv = (sys.executable, "-m", "uv", "tool", "run", "--quiet", "--no-config")
        chosen = ("--constraints", CONSTRAINTS, "--python", sys.executable)
        examine(*uv, *chosen, "--from", wheel, "gatefill", **fresh)


def examine(*command: str | Path, **variables: str) -> None:
    """Run ``gatefill doctor`` by a command, and stop unless its test fill is right."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*map(str, command), "doctor", "--json"],
        env=kept | variables,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    name = Path(command[0]).name if len(command) < 3 else " ".join(map(str, command[1:4]))
    if done.returncode != 0:
        sys.exit(f"{name}: gatefill doctor ended with {done.returncode}: {done.stdout}")
    fill = json.loads(done.stdout)["self_test"]
    print(
        f"{name}: first fill {fill['first_fill_seconds']} s, then {fill['second_fill_seconds']} s"
    )


def megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files if not each.is_symlink()) / 1e6


def run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--try", dest="tried", action="store_true", help="install and run it too")
    options = parser.parse_args()
    wheel = build(options.output)
    if options.tried:
        try_out(wheel)


if __name__ == "__main__":
    main()
