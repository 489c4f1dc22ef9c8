"""Over HTTP

`gatefill serve` starts the service; a request is a form with the photo and the mask. Any HTTP
client works.
"""

import io
import socket
import subprocess
import sys
import time

import httpx
from panels import EXAMPLES, save_panels
from PIL import Image

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
url = f"http://127.0.0.1:{port}"
server = subprocess.Popen([sys.executable, "-m", "gatefill", "serve", "--port", str(port)])
try:
    for _ in range(600):
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                break
        except httpx.TransportError:
            pass
        time.sleep(0.2)

    photo, mask = (EXAMPLES / name for name in ("marsh.jpg", "marsh_mask.png"))
    with photo.open("rb") as image, mask.open("rb") as hole:
        files = {"image": image, "mask": hole}
        reply = httpx.post(f"{url}/api/v1/inpaint", files=files, data={"grow": "2"}, timeout=300)
    reply.raise_for_status()
    print(reply.headers["X-Gatefill-Model"], reply.headers["X-Gatefill-Seconds"], "s")
finally:
    server.terminate()
    server.wait()

filled = Image.open(io.BytesIO(reply.content))
save_panels("http_service", photo=photo, filled=filled)
