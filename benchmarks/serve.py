"""What the HTTP service costs beside the bare method: requests per second, p50 and p95.

    python benchmarks/serve.py [--seconds 15] [--side 512] [--output results.json]
    python benchmarks/serve.py --against CHECKOUT   # throughput beside another version's
    python benchmarks/serve.py --beside             # small fills while a large one runs
    python benchmarks/serve.py --memory             # peaks of large fills

The first runs a server as a process of its own, and in turns: the bare method on arrays in memory,
in this process; then 1, 4 and 16 clients that upload a JPEG photo with a PNG mask and take the
filled JPEG back. Each turn of clients has a turn of the bare method right before it, and overhead
is the median over the turns of the time per photo that the service adds: other work on the machine
falls on both sides alike. With one client, turns are single photos. One client sees all of the
overhead; with several, reading and writing images overlap with filling.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
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

    def __init__(self, photo: bytes, mask: bytes, checkout: Path | None = None) -> None:
        """checkout: of the version to run; None runs this one."""
        source = Path(gatefill.__file__).parents[1] if checkout is None else checkout / "src"
        self.files = {"image": ("photo.jpg", photo), "mask": ("mask.png", mask)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gatefill", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(source)},
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

    def _processes(self) -> list[int]:
        """The server and its helper processes."""
        pids = [self.process.pid]
        with contextlib.suppress(OSError):  # a thread has ended meanwhile
            for task in Path(f"/proc/{self.process.pid}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        return pids

    def processor_seconds(self) -> float:
        """What the server and its helper processes have computed for so far."""
        ticks = 0
        for pid in self._processes():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes of the server and its helper processes, memory that they share counted once."""
        total = 0
        for pid in self._processes():
            with contextlib.suppress(OSError):
                found = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
                total += int(found[1]) * 1024 if found else 0
        return total

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
    parser.add_argument("--against", type=Path, help="a checkout of another version")
    parser.add_argument("--beside", action="store_true", help="a large fill beside small ones")
    parser.add_argument("--memory", action="store_true", help="peaks of large fills")
    given = parser.parse_args()
    photo, mask_file, mask = inputs(given.side)
    if given.against is not None:
        against(given.against, photo, mask_file, given.seconds)
        return
    if given.beside:
        beside(photo, mask_file, given.seconds)
        return
    if given.memory:
        memory()
        return
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


def against(checkout: Path, photo: bytes, mask: bytes, seconds: float) -> None:
    """Print the throughput beside that of another version, in turns.

    Seconds of the processor for each photo are less disturbed by other programs than throughput.
    """
    versions = Served(photo, mask, checkout), Served(photo, mask)
    try:
        for served in versions:
            served.measure(1, 0.1)
        for clients in CLIENTS:
            rates: list[list[float]] = [[], []]
            taken: list[list[float]] = [[], []]
            for _ in range(3):
                for served, found, work in zip(versions, rates, taken, strict=True):
                    before = served.processor_seconds()
                    times, span = served.measure(clients, seconds / 3)
                    found.append(len(times) / span)
                    work.append((served.processor_seconds() - before) / len(times))
            (old, new), (more, less) = map(median, rates), map(median, taken)
            print(
                f"{clients:>3} clients: {old:.2f} -> {new:.2f} photos/s, {new / old:.2f} times; "
                f"{more:.3f} -> {less:.3f} s of the processor for a photo",
                flush=True,
            )
    finally:
        for served in versions:
            served.stop()


def large(megapixels: int, side: int | None) -> tuple[dict[str, Any], int]:
    """A large photo of 4:3 as a form, and its pixels. side: of the hole; None: half the sides."""
    width = round((megapixels * 4e6 / 3) ** 0.5)
    height = width * 3 // 4
    image = PIL.Image.open(SAMPLE).convert("RGB").resize((width, height))
    mask = PIL.Image.new("L", (width, height))
    wide, tall = (side, side) if side else (width // 2, height // 2)
    left, top = (width - wide) // 2, (height - tall) // 2
    mask.paste(255, (left, top, left + wide, top + tall))
    files = {}
    for name, picture, format in (("image", image, "JPEG"), ("mask", mask, "PNG")):
        out = io.BytesIO()
        picture.save(out, format, quality=90)
        files[name] = (name, out.getvalue())
    return files, width * height


def beside(photo: bytes, mask: bytes, seconds: float) -> None:
    """Print what small fills take alone and while large ones run one after the other."""
    files, pixels = large(48, None)
    served = Served(photo, mask)
    stop = threading.Event()

    def fill_large() -> None:
        with httpx.Client(base_url=served.url, timeout=600) as client:
            while not stop.is_set():
                started = time.perf_counter()
                assert client.post("/api/v1/inpaint", files=files).status_code == 200
                print(f"a fill of {pixels / 1e6:.0f} MP: {time.perf_counter() - started:.1f} s")

    thread = threading.Thread(target=fill_large)
    try:
        served.measure(1, 0.1)
        alone, _ = served.measure(1, seconds)
        thread.start()
        time.sleep(2)
        together, _ = served.measure(1, max(seconds, 30))
        stop.set()
        first, second = (np.percentile(times, (50, 95)) for times in (alone, together))
        print(f"small fills alone:        p50 {first[0]:.3f} s, p95 {first[1]:.3f} s")
        print(f"small fills beside large: p50 {second[0]:.3f} s, p95 {second[1]:.3f} s")
        print(f"p95: {second[1] / first[1]:.2f} times; {(second[1] - first[0]) / first[1]:.2f} "
              "times without one fill's share")  # fmt: skip
    finally:
        stop.set()
        if thread.ident is not None:
            thread.join()
        served.stop()


def memory() -> None:
    """Print the peaks of servers that fill one large photo."""
    print("| photo | hole | model | seconds | of processor time | peak of the server |")
    for megapixels, side, model in (
        (3, 500, "hybrid"), (12, 100, "hybrid"), (12, 1000, "hybrid"), (12, None, "hybrid"),
        (48, None, "hybrid"), (12, None, "patchmatch"), (48, None, "patchmatch"),
        (12, 1000, "deepfill_v2"), (12, None, "deepfill_v2"), (48, None, "deepfill_v2"),
    ):  # fmt: skip
        files, _ = large(megapixels, side)
        served = Served(b"", b"")
        try:
            with (
                httpx.Client(base_url=served.url, timeout=600) as client,
                ThreadPoolExecutor(1) as pool,
            ):
                started, before, peak = time.perf_counter(), served.processor_seconds(), 0
                waiting = pool.submit(
                    client.post, "/api/v1/inpaint", files=files, data={"model": model}
                )
                while not wait([waiting], 0.05).done:
                    peak = max(peak, served.memory())
                reply, taken = waiting.result(), time.perf_counter() - started
                computed = served.processor_seconds() - before
            assert reply.status_code == 200, reply.text
            hole = f"{side} x {side}" if side else "a quarter"
            print(
                f"| {megapixels} MP | {hole} | `{model}` | {taken:.1f} | {computed:.1f} | "
                f"{peak / 1e9:.2f} GB |",
                flush=True,
            )
        finally:
            served.stop()


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
