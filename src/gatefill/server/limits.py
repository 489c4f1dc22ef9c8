"""The limits of a server."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from gatefill.errors import ConfigError
from gatefill.parallel import machine_memory
from gatefill.settings import expect_at_least

_IDLE = 600 << 20  # bytes of an idle server with the models that come with gatefill
_LEAST_FOR_JOBS = 256 << 20  # bytes for a fill of three million pixels


def _half_of_the_machine() -> int:
    return max(machine_memory() // 2, _IDLE + 2 * _LEAST_FOR_JOBS)


@dataclass(frozen=True)
class Limits:
    """All limits of a server; each is at least 1, and an option of the command line."""

    memory: int = field(default_factory=_half_of_the_machine)  # bytes of the whole server
    max_bytes: int = 128 << 20  # size of one request
    max_bytes_in_flight: int = 512 << 20  # total size of all requests in progress
    max_pixels: int = 50_000_000  # pixels of one photo
    workers: int = 2  # jobs that run at the same time
    waiting: int = 32  # jobs that may wait for a worker
    seconds: float = 300.0  # for one job, including the time it waits
    upload_seconds: float = 60.0  # for a request's body to arrive
    header_seconds: float = 15.0  # for the headers of a request to arrive
    send_seconds: float = 60.0  # for a client to receive the next part of a response
    grace_seconds: float = 5.0  # for uploads and jobs to finish after the server was asked to stop
    connections: int = 256

    def __post_init__(self) -> None:
        for name in (each.name for each in fields(self)):
            least = 0 if name == "waiting" else 0.01 if "seconds" in name else 1
            expect_at_least(least, **{name: getattr(self, name)})
        if self.memory_for_jobs < _LEAST_FOR_JOBS:
            least = -(-8 * (_IDLE + _LEAST_FOR_JOBS) // 7)
            raise ConfigError(
                f"expected a memory limit of {least >> 20} MB or more, got {self.memory >> 20} MB",
                code="server.memory",
                least=least,
                value=self.memory,
            )

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of all requests and kept results together: at most an eighth of the memory."""
        return min(self.max_bytes_in_flight, self.memory // 8)

    @property
    def memory_for_jobs(self) -> int:
        """Bytes that all running jobs may take together."""
        return self.memory - _IDLE - self.bytes_in_flight
