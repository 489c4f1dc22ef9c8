"""Which of several processes loads."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Which process this is, of how many."""

    rank: int = 0
    processes: int = 1


ONE_PROCESS = Place()
