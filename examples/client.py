"""Fill the hole of a photo through a gatefill server. Needs nothing but Python.

    gatefill serve &
    python examples/client.py photo.jpg mask.png filled.jpg [--url http://127.0.0.1:8731]

A server that wants a token gets it from the variable GATEFILL_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

TRIES = 20


def multipart(files: dict[str, Path], fields: dict[str, str]) -> tuple[bytes, str]:
    """A form's body and its content type."""
    boundary = uuid.uuid4().hex
    parts = []
    for name, path in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"'
        parts.append(head.encode() + b"\r\n\r\n" + path.read_bytes())
    for name, value in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"'
        parts.append(f"{head}\r\n\r\n{value}".encode())
    edge = f"--{boundary}\r\n".encode()
    body = b"".join(edge + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def fill(url: str, photo: Path, mask: Path, **fields: str) -> bytes:
    """The filled photo in the photo's own format. A busy server is asked again."""
    body, kind = multipart({"image": photo, "mask": mask}, fields)
    headers = {"Content-Type": kind}
    if token := os.environ.get("GATEFILL_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    for _ in range(TRIES):
        request = urllib.request.Request(f"{url}/api/v1/inpaint", body, headers)
        try:
            with urllib.request.urlopen(request) as reply:
                for warning in json.loads(reply.headers["X-Gatefill-Warnings"]):
                    sys.stderr.write(f"warning: {warning}\n")
                data: bytes = reply.read()
                return data
        except urllib.error.HTTPError as error:
            if error.code == 503:
                time.sleep(int(error.headers.get("Retry-After", "1")))
                continue
            detail = json.load(error).get("detail", error.reason)
            raise SystemExit(f"the server refused: {detail}") from error
    raise SystemExit("the server is busy")


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill a photo through a gatefill server.")
    parser.add_argument("photo", type=Path)
    parser.add_argument("mask", type=Path, help="white = hole")
    parser.add_argument("output", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8731")
    parser.add_argument("--grow", default="0", help="widen the hole by so many pixels")
    given = parser.parse_args()
    given.output.write_bytes(fill(given.url.rstrip("/"), given.photo, given.mask, grow=given.grow))


if __name__ == "__main__":
    main()
