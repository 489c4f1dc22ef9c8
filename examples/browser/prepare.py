"""Put what the page needs into vendor/: onnxruntime-web from npm, and the network as ONNX.

    python examples/browser/prepare.py [--weights W.safetensors] [--target FOLDER] [--tarball FILE]

Needs npm, unless the package's tarball is given, and gatefill with the extra `export`. Then the
folder is a static site: `python -m http.server -d examples/browser`.
"""

from __future__ import annotations

import argparse
import subprocess
import tarfile
import tempfile
from pathlib import Path

from gatefill.export import export

PACKAGE = "onnxruntime-web@1.30.0"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def fetched(folder: Path) -> Path:
    """The package's tarball, as npm gets it."""
    command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return folder / done.stdout.split()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="compact", help="the network; default: compact")
    parser.add_argument("--target", type=Path, default=Path(__file__).parent / "vendor")
    parser.add_argument("--tarball", type=Path, help=f"{PACKAGE} as npm packs it")
    given = parser.parse_args()
    given.target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tarball = given.tarball or fetched(Path(folder))
        with tarfile.open(tarball) as package:
            for name in FILES:
                member = package.extractfile(f"package/dist/{name}")
                assert member is not None
                (given.target / name).write_bytes(member.read())
                print(given.target / name)
    done = export(given.weights, given.target / "network.onnx")
    print(done.path)


if __name__ == "__main__":
    main()
