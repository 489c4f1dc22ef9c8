"""Weights in folders as the Hugging Face hub has them, there or here.

A folder holds ``model.safetensors`` (a gatefill weights file), ``config.json`` (what its header
says, for programs that read no safetensors) and ``README.md``, the model card. Nothing else of a
repository is read, so no code of it can run.
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

# `Path` makes one slash of two, so that is how an address comes from a command line.
_ADDRESS = re.compile(r"hf:/{1,2}(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")

log = logging.getLogger(__name__)


def is_address(given: str | os.PathLike[str]) -> bool:
    """Whether weights are given by an address such as ``hf://owner/name@revision``."""
    return str(given).startswith("hf:/")


def fetch(address: str | os.PathLike[str]) -> Path:
    """The weights file of a repository on the hub, from huggingface_hub's cache where it is there.

    Args:
        address: ``hf://owner/name@revision``. The revision is a commit, a tag or a branch; only a
            commit names the same weights for ever. Without it, the main branch is taken, and the
            log names its commit. HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE count.

    Raises:
        ConfigError: For an address of another form.
        WeightsError: If the repository, the revision or a file cannot be had, or if the files
            contradict each other.
        MissingExtra: (an ImportError) Without huggingface_hub.
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
    # Files lie in .../snapshots/COMMIT/, and those of two commits must not be mixed.
    commit = weights.parent.name
    if config.parent.name != commit:
        return fetch(f"hf://{name}@{commit}")
    if _COMMIT.fullmatch(commit) and revision != commit:
        log.info("these weights are hf://%s@%s, which pins them", name, commit)
    _check(config, weights)
    return weights


def _check(config: Path, weights: Path) -> None:
    """Raise WeightsError unless a config.json says what the weights file beside it says."""
    try:
        stated = json.loads(config.read_text("utf-8"))
    except ValueError:
        stated = None
    known = _stated(read_header(weights))
    if not isinstance(stated, dict) or any(
        stated.get(key) != known[key] for key in ("method", "config")
    ):
        raise WeightsError(
            f"expected {CONFIG} and {WEIGHTS} to tell of the same network, got two",
            code="weights.contradiction",
        )


def in_folder(folder: Path) -> Path:
    """The weights file of a folder that was made for the hub, once its files agree."""
    _check(folder / CONFIG, folder / WEIGHTS)
    return folder / WEIGHTS


def write_folder(weights: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Write weights as a folder that can be uploaded to the hub as it is.

    Args:
        weights: A gatefill weights file.
        folder: A new or empty folder.

    Returns:
        The folder.

    Raises:
        WeightsError: If the file is no weights file of gatefill.
        OutputError: If the folder holds something.
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
    """A model card: what the header knows, and places for what only people know."""
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
