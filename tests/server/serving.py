"""Servers as processes of their own, and small pictures to send to them."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image

import gatefill

ROOT = Path(__file__).parents[2]
SRC = Path(gatefill.__file__).parents[1]


@dataclass
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, headers=headers, trust_env=False)

    def memory(self) -> int:
        """Bytes of memory that the process has."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most bytes of memory that the process had."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", text)
        assert found
        return int(found[1]) * 1024


@contextmanager
def serving(*arguments: str, module: str = "tests.server.stub") -> Iterator[Server]:
    """A server with models that are warm; it is stopped in the end."""
    path = os.pathsep.join([str(SRC), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | {"PYTHONPATH": path, "NUMBA_NUM_THREADS": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"the server did not start: {line!r}"
        server = Server(found[0], process)
        _wait_until_warm(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _wait_until_warm(server: Server) -> None:
    for _ in range(600):
        if httpx.get(server.url + "readyz", trust_env=False).status_code == 200:
            return
        time.sleep(0.1)
    raise AssertionError("the server did not get warm")


def limits(**values: float) -> list[str]:
    return ["--limits", json.dumps(values)]


def photo(height: int = 48, width: int = 64, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Noise: no two are alike, and any change of a pixel is seen."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def hole(height: int = 48, width: int = 64) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[height // 3 : height // 2, width // 3 : width // 2] = 255
    return mask


def file_of(array: np.ndarray, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(array).save(out, format, **options)
    return out.getvalue()


def array_of(data: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def upload(client: httpx.Client, image: bytes, mask: bytes | None, **fields: str) -> httpx.Response:
    files = {"image": ("photo", image)} | ({} if mask is None else {"mask": ("mask", mask)})
    return client.post("/api/v1/inpaint", files=files, data=fields)
