"""The limits of a server."""

from __future__ import annotations

from dataclasses import dataclass, fields

from gatefill.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """All limits of a server; each is at least 1 and can be set on the command line or in code."""

    max_bytes: int = 128 << 20  # of one request
    max_bytes_in_flight: int = 512 << 20  # of all requests that are being read or worked on
    max_pixels: int = 50_000_000  # of one photo
    max_pixels_in_flight: int = 100_000_000  # of all photos that are being filled
    workers: int = 2  # jobs at a time; some read or write images while another one fills
    waiting: int = 32  # jobs that may wait for a worker
    seconds: float = 300.0  # for one job, waiting included
    upload_seconds: float = 60.0  # for a request's body to arrive
    header_seconds: float = 15.0  # for the headers of a request to arrive
    send_seconds: float = 60.0  # for a client to receive the next part of a response
    grace_seconds: float = 5.0  # for running jobs to end after the server was asked to stop
    connections: int = 256

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "waiting" else 0.01 if "seconds" in field.name else 1
            if not value >= least:
                raise ConfigError(
                    f"expected {field.name} of {least} or more, got {value}",
                    code="config.range",
                    name=field.name,
                    value=value,
                    least=least,
                )
        if self.max_pixels_in_flight < self.max_pixels:
            raise ConfigError(
                f"expected max_pixels_in_flight of max_pixels ({self.max_pixels}) or more, "
                f"got {self.max_pixels_in_flight}",
                code="config.range",
                name="max_pixels_in_flight",
                value=self.max_pixels_in_flight,
                least=self.max_pixels,
            )
