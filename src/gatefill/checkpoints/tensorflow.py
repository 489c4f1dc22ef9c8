"""Reads checkpoints of the official release: ``snap-<step>.index``, ``.data-00000-of-00001``.

https://github.com/JiahuiYu/generative_inpainting, tag v2.0.0. Only the arrays of variables are
read; no graph is built or run.
"""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import WeightsError
from gatefill.extras import need


def checkpoint_prefix(path: str | os.PathLike[str]) -> Path:
    """Return the common prefix of a checkpoint's files, such as ``folder/snap-0``.

    path: The folder, the prefix, or one of the files ``.index``, ``.data-...``, ``.meta``. Raises
    WeightsError if there is no checkpoint.
    """
    path = Path(path)
    if path.is_dir():
        prefix = _latest(path)
    else:
        prefix = path.with_name(re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path.name))
    if not _index(prefix).is_file():
        raise WeightsError(
            f"expected a TensorFlow checkpoint, but there is no {_index(prefix)}",
            code="weights.no_checkpoint",
            file=str(_index(prefix)),
        )
    if not list(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*")):
        raise WeightsError(
            f"expected {prefix.name}.data-00000-of-00001 beside {_index(prefix).name}; "
            "a TensorFlow checkpoint has both",
            code="weights.no_checkpoint",
            file=str(prefix.with_name(f"{prefix.name}.data-00000-of-00001")),
        )
    return prefix


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a TensorFlow checkpoint, in any form of `checkpoint_prefix`."""
    try:
        checkpoint_prefix(path)
    except WeightsError:
        return False
    return True


def read_variables(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read the variables of generator and discriminator by official name, kernels ``HWIO``.

    Adam slots and counters of training snapshots are skipped. Raises WeightsError for damaged files
    and MissingExtra without TensorFlow.
    """
    prefix = checkpoint_prefix(path)
    tensorflow = need("tensorflow", "tensorflow", "reading TensorFlow checkpoints")
    try:
        reader = tensorflow.train.load_checkpoint(os.fspath(prefix))
        names = [
            name
            for name in reader.get_variable_to_shape_map()
            if re.match(r"(inpaint_net|discriminator)/", name) and "/Adam" not in name
        ]
        return {name: np.asarray(reader.get_tensor(name)) for name in sorted(names)}
    except (tensorflow.errors.OpError, ValueError, IndexError, RuntimeError) as problem:
        # The reader raises any of these for damaged files.
        reason = str(problem).partition("\n")[0]
        raise WeightsError(
            f"{prefix.name} is not a whole TensorFlow checkpoint: {reason}",
            code="weights.damaged",
            file=prefix.name,
            reason=reason,
        ) from None


def checkpoint_step(prefix: Path) -> int | None:
    """Return the training step in a name like ``snap-1000``."""
    match = re.search(r"-(\d+)$", prefix.name)
    return int(match[1]) if match else None


def _latest(folder: Path) -> Path:
    """Return the prefix in the folder's ``checkpoint`` file, or the only prefix in the folder."""
    for name in ("checkpoint", "checkpoint.txt"):  # the host of the release adds .txt
        note = folder / name
        if note.is_file():
            text = note.read_text(encoding="utf-8", errors="replace")[:10_000]
            match = re.search(r'^model_checkpoint_path:\s*"(.+)"', text, re.MULTILINE)
            # Only the name: the folder may have been moved since.
            if match and _index(folder / Path(match[1]).name).is_file():
                return folder / Path(match[1]).name
    found = sorted(folder.glob("*.index"))
    if len(found) != 1:
        names = ", ".join(each.name for each in found[:5]) or "none"
        raise WeightsError(
            f"expected one TensorFlow checkpoint in {folder}, found {names}",
            code="weights.no_checkpoint",
            file=str(folder),
        )
    return found[0].with_suffix("")


def _index(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")
