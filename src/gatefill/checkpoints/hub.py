"""Weights in folders in the layout of the Hugging Face hub, on the hub or on disk.

A folder contains ``model.safetensors`` (a gatefill weights file), ``config.json`` (the content of
its header, for programs that do not read safetensors) and ``README.md``, the model card. Nothing
else of a repository is read, so that no code in it can run.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gatefill.checkpoints.native import NOT_STATED, WeightsInfo, read_header
from gatefill.errors import ConfigError, OutputError, WeightsError
from gatefill.extras import need

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"

# `Path` joins two slashes into one, so addresses from the command line have one.
_ADDRESS = re.compile(r"hf:/{1,2}(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")

log = logging.getLogger(__name__)


def is_address(given: str | os.PathLike[str]) -> bool:
    """Return whether weights are given by an address such as ``hf://owner/name@revision``."""
    return str(given).startswith("hf:/")


def fetch(address: str | os.PathLike[str]) -> Path:
    """Download the weights file of a repository on the hub, or find it in huggingface_hub's cache.

    Args:
        address: ``hf://owner/name@revision``. The revision is a commit, a tag or a branch; only a
            commit identifies weights permanently. Without it, the main branch is used, and its
            commit is logged. HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are respected.


    Raises:
        ConfigError: For an address in another form.
        WeightsError: If the repository, the revision or a file cannot be downloaded, or if the
            files contradict each other.
        MissingExtra: (an ImportError) If huggingface_hub is not installed.
    """
    found = _ADDRESS.fullmatch(str(address))
    if found is None:
        raise ConfigError(
            f"expected weights as hf://owner/name@revision, got {str(address)!r:.80}",
            code="weights.address",
            weights=str(address)[:80],
        )
    hub = need("huggingface_hub", "hub", "fetching weights from the hub")
    name, revision = found["name"], found["revision"]
    try:
        config, weights = (
            Path(hub.hf_hub_download(name, file, revision=revision)) for file in (CONFIG, WEIGHTS)
        )
    except (OSError, ValueError, hub.errors.HTTPError) as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(
            f"expected a repository {name} with {CONFIG} and {WEIGHTS} on the hub, got: {why}",
            code="weights.hub",
            repository=name,
            revision=revision,
            why=why,
        ) from error
    # Files are in .../snapshots/COMMIT/; files of two commits must not be mixed.
    commit = weights.parent.name
    if config.parent.name != commit:
        return fetch(f"hf://{name}@{commit}")
    if _COMMIT.fullmatch(commit) and revision != commit:
        log.info("these weights are hf://%s@%s, which pins them", name, commit)
    _check(config, weights)
    return weights


def _check(config: Path, weights: Path) -> None:
    """Raise WeightsError unless a config.json agrees with the weights file beside it."""
    try:
        stated = json.loads(config.read_text("utf-8"))
    except ValueError:
        stated = None
    known = _stated(read_header(weights))
    if not isinstance(stated, dict) or any(
        stated.get(key) != known[key] for key in ("method", "config")
    ):
        raise WeightsError(
            f"expected {CONFIG} and {WEIGHTS} to describe the same network, got two",
            code="weights.contradiction",
        )


def in_folder(folder: Path) -> Path:
    """Return the weights file of a folder in the hub's layout, whose files must agree."""
    _check(folder / CONFIG, folder / WEIGHTS)
    return folder / WEIGHTS


def write_folder(weights: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Write weights as a folder that can be uploaded to the hub.

    Args:
        weights: A gatefill weights file.
        folder: A new or empty folder.

    Returns:
        The folder.

    Raises:
        WeightsError: If the file is not a gatefill weights file.
        OutputError: If the folder is not empty.
    """
    info = read_header(weights)
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(
            f"expected a new or empty folder, got {target}", code="output.not_empty", path=target
        )
    target.mkdir(parents=True, exist_ok=True)
    (target / CARD).write_text(_card(info), "utf-8")
    (target / CONFIG).write_text(json.dumps(_stated(info), indent=2) + "\n", "utf-8")
    shutil.copyfile(weights, target / WEIGHTS)
    return target


def _stated(info: WeightsInfo) -> dict[str, Any]:
    return {
        "library_name": "gatefill",
        "method": info.method,
        "config": info.config,
        "provenance": asdict(info.provenance),
    }


def _card(info: WeightsInfo) -> str:
    """Write a model card: the content of the header, and placeholders for the rest."""
    license = info.provenance.license
    known = re.fullmatch(r"[A-Za-z]+[\w.-]*", license) if license != NOT_STATED else None
    stated = license.lower() if known else f"other\nlicense_name: {json.dumps(license)}"
    steps = "not stated" if info.provenance.step is None else f"{info.provenance.step:,}"
    return f"""---
license: {stated}
library_name: gatefill
pipeline_tag: image-to-image
tags:
- inpainting
- image-inpainting
- {info.method}
---

# {info.method} for gatefill

Fills holes in photos. {info.parameters:,} parameters, safetensors.

```python
import gatefill

inpaint = gatefill.load("hf://OWNER/NAME@COMMIT")
inpaint("photo.jpg", "mask.png").save("clean.jpg")
```

## Training

| | |
|---|---|
| made by | {info.provenance.source} |
| data | {info.provenance.data} |
| steps | {steps} |
| license | {license} |

## Limits

State here what the weights are good at and what they are not, with pictures, and how they were
measured (`gatefill compare`).
"""
