"""A lock that allows one run at a time in a folder."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from gatefill.errors import OutputError

LOCK = ".lock"  # the file in the folder; it stays there


class FolderLock:
    """Held by the first process of a run; the system releases it when the process ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = FileLock(folder / LOCK)

    def acquire(self) -> None:
        """Acquire the lock.

        Raises:
            OutputError: If another process has it.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise OutputError(
                f"expected a folder that no other run writes to, got {self.folder}: wait for that "
                "run, stop it, or choose another folder",
                code="output.in_use",
                folder=str(self.folder),
            ) from None

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()
