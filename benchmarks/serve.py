"""What the HTTP service costs beside the bare method: requests per second, p50 and p95.

    python benchmarks/serve.py [--seconds 15] [--side 512] [--output results.json]

Runs a server as a process of its own, and in turns: the bare method on arrays in memory, in this
process; then 1, 4 and 16 clients that upload a JPEG photo with a PNG mask and take the filled
JPEG back. Each turn of clients has a turn of the bare method right before it, and overhead is the
median over the turns of the time per photo that the service adds: other work on the machine falls
on both sides alike. With one client, turns are single photos. One client sees all of the overhead;
with several, reading and writing images overlap with filling.
"""

from __future__ import annotations

import argparse
import io
import json
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
from gatefill.methods import Method

CLIENTS = (1, 4, 16)
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
        # Made once: a client takes as long to make as a small photo to fill.
        self.clients = [httpx.Client(base_url=self.url, timeout=600) for _ in range(max(CLIENTS))]

    def measure(self, clients: int, seconds: float) -> tuple[list[float], float]:
        """Seconds of each request, at least one of each client, and of all together."""
        times: list[float] = []

        def work(client: httpx.Client) -> None:
            while True:
                before = time.perf_counter()
                reply = client.post("/api/v1/inpaint", files=self.files)
                assert reply.status_code == 200, reply.text
                times.append(time.perf_counter() - before)
                if time.perf_counter() - started >= seconds:
                    return

        threads = [threading.Thread(target=work, args=(each,)) for each in self.clients[:clients]]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return times, time.perf_counter() - started

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def bare(method: Method, image: Any, mask: Any, calls: int) -> float:
    """Seconds of a call of the method on arrays in memory, the mean of some."""
    started = time.perf_counter()
    for _ in range(calls):
        method.fill(image, mask)
    return (time.perf_counter() - started) / calls


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20.0, help="per number of clients")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--output", type=Path, help="also write the numbers as JSON")
    given = parser.parse_args()
    photo, mask_file, mask = inputs(given.side)
    image = read_photo(photo).rgb()
    method = gatefill.load().method
    bare(method, image, mask, 1)  # compiles
    served = Served(photo, mask_file)
    rows: dict[str, dict[str, float]] = {}
    print(f"{given.side} x {given.side}, hole {mask.mean():.0%}, {method.info.name}")
    try:
        served.measure(1, 0.1)
        for clients in CLIENTS:
            row = rows[str(clients)] = compared(served, clients, given.seconds, method, image, mask)
            print(
                f"{clients:>3} clients: {row['per_second']:.2f} photos/s, p50 {row['p50']:.3f} s, "
                f"p95 {row['p95']:.3f} s; bare {1 / row['bare']:.2f} photos/s; "
                f"overhead {row['overhead']:+.1%}"
            )
    finally:
        served.stop()
    if given.output is not None:
        given.output.write_text(json.dumps(rows, indent=2) + "\n")


def compared(
    served: Served, clients: int, seconds: float, method: Method, image: Any, mask: Any
) -> dict[str, float]:
    """What so many clients see beside the bare method, in turns for so many seconds."""
    overheads: list[float] = []
    alone: list[float] = []
    times: list[float] = []
    together, photos = 0.0, 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(overheads) < 3:
        alone.append(bare(method, image, mask, clients))
        found, span = served.measure(clients, 0.0 if clients == 1 else seconds / 10)
        overheads.append(span / len(found) / alone[-1] - 1)
        times += found
        together, photos = together + span, photos + len(found)
    p50, p95 = np.percentile(times, (50, 95))
    return {
        "per_second": photos / together,
        "p50": float(p50),
        "p95": float(p95),
        "bare": median(alone),
        "overhead": median(overheads),
    }


if __name__ == "__main__":
    main()
