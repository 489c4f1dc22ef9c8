"""What the HTTP service costs beside the bare method: requests per second, p50 and p95.

    python benchmarks/serve.py [--seconds 15] [--side 512] [--output results.json]

Runs a server as a process of its own, and in turns: the bare method on arrays in memory, in this
process; then 1, 4 and 16 clients that upload a JPEG photo with a PNG mask and take the filled
JPEG back. The turns are short and repeated, so that other work on the machine falls on both sides
alike. Overhead is the time per photo that the service adds to the bare method's. One client sees
all of it; with several, reading and writing images overlap with filling. The last column is free of
other work: the share of the requests' time that was not spent in the call that fills (with one
client; with several it is mostly waiting for one's turn).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import PIL.Image

import gatefill
from gatefill.images import read_photo

CLIENTS = (1, 4, 16)
TURNS = 8
SAMPLE = Path(gatefill.__file__).parent / "server" / "web" / "samples" / "rocks.jpg"


def inputs(side: int) -> tuple[bytes, bytes, Any]:
    """A square photo as JPEG, a mask of a tenth of it as PNG, and the mask as an array."""
    opened = PIL.Image.open(SAMPLE)
    edge = min(opened.size)
    image = opened.crop((180, 0, 180 + edge, edge)).resize((side, side))
    mask = np.zeros((side, side), np.uint8)
    rows, columns = np.ogrid[:side, :side]
    # An ellipse: a tenth of the photo, as half axes of 0.22 and 0.145 sides are
    mask[((rows - side / 2) / 0.22) ** 2 + ((columns - side / 2) / 0.145) ** 2 < side**2] = 255
    files = []
    for picture, format in ((image, "JPEG"), (PIL.Image.fromarray(mask), "PNG")):
        out = io.BytesIO()
        picture.save(out, format, quality=95)
        files.append(out.getvalue())
    return files[0], files[1], mask > 0


class Served:
    """A server process and clients that keep it busy."""

    def __init__(self, photo: bytes, mask: bytes) -> None:
        self.files = {"image": ("photo.jpg", photo), "mask": ("mask.png", mask)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gatefill", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found, "the server did not start"
        self.url = found[0]
        while httpx.get(self.url + "readyz").status_code != 200:
            time.sleep(0.2)

    def measure(self, clients: int, seconds: float) -> tuple[list[tuple[float, float]], float]:
        """Seconds of each request, and of its fill alone; and seconds of all together."""
        times: list[tuple[float, float]] = []
        started = time.perf_counter()

        def work() -> None:
            with httpx.Client(base_url=self.url, timeout=600) as client:
                while time.perf_counter() - started < seconds:
                    before = time.perf_counter()
                    reply = client.post("/api/v1/inpaint", files=self.files)
                    assert reply.status_code == 200, reply.text
                    inside = float(reply.headers["X-Gatefill-Seconds"])
                    times.append((time.perf_counter() - before, inside))

        threads = [threading.Thread(target=work) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return times, time.perf_counter() - started

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def bare(image: Any, mask: Any, seconds: float) -> list[float]:
    """Seconds of each call of the method on arrays in memory."""
    method = gatefill.load().method
    times: list[float] = []
    started = time.perf_counter()
    while time.perf_counter() - started < seconds or len(times) < 2:
        before = time.perf_counter()
        method.fill(image, mask)
        times.append(time.perf_counter() - before)
    return times


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=15.0, help="per number of clients")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--output", type=Path, help="also write the numbers as JSON")
    given = parser.parse_args()
    # As `gatefill serve` sets it for itself; read when numba starts its threads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    photo, mask_file, mask = inputs(given.side)
    image = read_photo(photo).rgb()
    served = Served(photo, mask_file)
    alone: list[float] = []
    times: dict[int, list[tuple[float, float]]] = {clients: [] for clients in CLIENTS}
    spans: dict[int, float] = dict.fromkeys(CLIENTS, 0.0)
    try:
        bare(image, mask, 0)
        served.measure(1, 0.1)
        part = given.seconds / TURNS
        for _ in range(TURNS):
            alone += bare(image, mask, part)
            for clients in CLIENTS:
                found, span = served.measure(clients, part)
                times[clients] += found
                spans[clients] += span
    finally:
        served.stop()

    base = sum(alone) / len(alone)
    print(f"{given.side} x {given.side}, hole {mask.mean():.0%}, patchmatch")
    print(f"bare method: {1 / base:.2f} photos/s, p50 {median(alone):.3f} s")
    rows: dict[str, Any] = {"bare": {"per_second": 1 / base, "p50": median(alone)}}
    for clients in CLIENTS:
        rate = len(times[clients]) / spans[clients]
        p50, p95 = np.percentile([whole for whole, _ in times[clients]], (50, 95))
        overhead = 1 / rate / base - 1
        outside = median(1 - inside / whole for whole, inside in times[clients])
        rows[str(clients)] = {
            "per_second": rate,
            "p50": p50,
            "p95": p95,
            "overhead": overhead,
            "outside_fill": outside,
        }
        print(
            f"{clients:>3} clients: {rate:.2f} photos/s, p50 {p50:.3f} s, p95 {p95:.3f} s, "
            f"overhead {overhead:+.1%}" + (f", outside the fill {outside:.1%}" * (clients == 1))
        )
    if given.output is not None:
        given.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
