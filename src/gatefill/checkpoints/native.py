"""gatefill's own weights files: safetensors, with the config and the provenance in the header.

A file is 8 bytes (the header's length, little-endian), a JSON header, and the raw tensors. The
header contains the type, shape and offset of every tensor, and under ``__metadata__`` text:
``gatefill_format``, ``method``, ``config`` (JSON) and ``provenance`` (JSON). Reading it needs only
a JSON parser, neither torch nor the safetensors package.
Format: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatefill import __version__
from gatefill.errors import ConfigError, WeightsError
from gatefill.extras import need

if TYPE_CHECKING:
    import torch

FORMAT = "1"
MAX_HEADER_BYTES = 4 << 20  # headers of gatefill have about ten kilobytes
MAX_FILE_BYTES = 2 << 30  # the largest of the networks has 0.13 GB
NOT_STATED = "not stated"

_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class Provenance:
    """The origin of weights, as far as it is known."""

    source: str  # a training run, or the file they were converted from
    step: int | None = None  # training steps of the generator
    data: str = NOT_STATED  # training data
    license: str = NOT_STATED  # license of the weights
    gatefill: str = __version__  # the version that wrote the file
    created: str = field(  # UTC, ISO 8601
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds")
    )


@dataclass(frozen=True)
class WeightsInfo:
    """The content of a weights file's header."""

    method: str
    config: dict[str, Any]
    provenance: Provenance
    finish: bool  # whether to apply the method's post-processing
    shapes: dict[str, tuple[int, ...]]
    dtypes: tuple[str, ...]  # safetensors names such as F32, each once
    file_bytes: int

    @property
    def parameters(self) -> int:
        """Number of elements of all tensors."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def save_weights(
    path: str | os.PathLike[str],
    method: str,
    config: object,
    state: Mapping[str, torch.Tensor],
    provenance: Provenance,
    *,
    finish: bool = True,
) -> None:
    """Write a weights file atomically.

    Args:
        path: The file, ending in ``.safetensors``.
        method: The name of the network's method.
        config: The network's config dataclass; its fields must be representable in JSON.
        state: The network's ``state_dict()``.
        provenance: Origin and license of the weights.
        finish: Whether to apply the method's post-processing, such as a color correction; False for
            weights of programs without it.

    Raises:
        ConfigError: If `config` is not a dataclass.
        OSError: If the file cannot be written.
    """
    save = need("safetensors.torch", "torch", "writing weights").save_file
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ConfigError(
            f"expected a config dataclass, got {type(config).__name__}",
            code="config.type",
            config=type(config).__name__,
        )
    metadata = {
        "gatefill_format": FORMAT,
        "method": method,
        "config": json.dumps(dataclasses.asdict(config), allow_nan=False),
        "finish": json.dumps(finish),
        "provenance": json.dumps(dataclasses.asdict(provenance), allow_nan=False),
    }
    # Copies, because safetensors refuses tensors that share memory or are not contiguous.
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}
    target = Path(path)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    error = need("safetensors", "torch", "writing weights").SafetensorError
    try:
        beside.touch()
        # safetensors creates files for their owner only; these follow the umask, or an old file's
        # mode.
        mode = stat.S_IMODE((target if target.exists() else beside).stat().st_mode)
        save(tensors, beside, metadata=metadata)
        beside.chmod(mode)
        beside.replace(target)
    except (error, OSError) as problem:  # no folder, no space, no permission
        raise OSError(f"cannot write {target}: {problem}") from None
    finally:
        beside.unlink(missing_ok=True)


def load_weights(
    path: str | os.PathLike[str],
) -> tuple[WeightsInfo, dict[str, torch.Tensor]]:
    """Load header and tensors, on the CPU. Raises WeightsError unless the file is complete."""
    info = read_header(path)
    load = need("safetensors.torch", "torch", "loading weights").load_file
    error = need("safetensors", "torch", "loading weights").SafetensorError
    try:
        return info, load(os.fspath(path))
    except error as problem:
        raise _refused(path, str(problem)) from None


def read_header(path: str | os.PathLike[str]) -> WeightsInfo:
    """Read the header of a weights file.

    Raises WeightsError, in one line, unless the file is a complete gatefill weights file, and
    OSError if it cannot be read.
    """
    header, file_bytes = _checked_header(path)
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or "gatefill_format" not in metadata:
        raise _refused(path, "a safetensors file of another program (no gatefill header)")
    if metadata["gatefill_format"] != FORMAT:
        raise _refused(
            path, f"format {metadata['gatefill_format']!r:.20} of a newer gatefill, expected 1"
        )
    config = _inner_object(path, metadata, "config")
    # Older files store it among the network's fields, though it is not part of the network.
    finish = config.pop("finish", metadata.get("finish") != "false")
    facts = _inner_object(path, metadata, "provenance")
    method = metadata.get("method")
    if not isinstance(method, str) or not method:
        raise _refused(path, "the header names no method")
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return WeightsInfo(
        method=method,
        config=config,
        provenance=_provenance(path, facts),
        finish=bool(finish),
        shapes={name: tuple(entry["shape"]) for name, entry in tensors.items()},
        dtypes=tuple(sorted({entry["dtype"] for entry in tensors.values()})),
        file_bytes=file_bytes,
    )


def is_safetensors(path: str | os.PathLike[str]) -> bool:
    """Return whether the file starts like safetensors: with a length, then a JSON object."""
    with Path(path).open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < 1 << 32


def _checked_header(path: str | os.PathLike[str]) -> tuple[dict[str, Any], int]:
    """Read the JSON header, after checking that all tensors lie inside the file, without gaps."""
    with Path(path).open("rb") as file:
        file_bytes = os.fstat(file.fileno()).st_size
        if file_bytes > MAX_FILE_BYTES:
            raise _refused(path, f"{file_bytes} bytes, more than the limit of {MAX_FILE_BYTES}")
        length = int.from_bytes(file.read(8), "little")
        if file_bytes < 8 or length > file_bytes - 8:
            raise _refused(
                path,
                "cut short, or not a safetensors file at all "
                "(`gatefill convert` makes one of other programs' weights)",
            )
        if length > MAX_HEADER_BYTES:
            raise _refused(path, f"a header of {length} bytes, limit {MAX_HEADER_BYTES}")
        header = _json_object(path, file.read(length), "header")

    end = 0
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    if not entries:
        raise _refused(path, "a safetensors file without tensors")
    for name, entry in entries:
        if not _is_tensor_entry(entry):
            raise _refused(path, f"the header's entry for tensor {name!r:.80} is malformed")
    for name, entry in sorted(entries, key=lambda item: item[1]["data_offsets"]):
        begin, stop = entry["data_offsets"]
        if begin != end or stop - begin != math.prod(entry["shape"]) * _SIZES[entry["dtype"]]:
            raise _refused(
                path, f"tensor {name!r:.80} stands in the wrong place or has the wrong length"
            )
        end = stop
    if 8 + length + end != file_bytes:
        raise _refused(
            path, f"{file_bytes} bytes, but the header promises {8 + length + end}: damaged"
        )
    return header, file_bytes


def _is_tensor_entry(entry: object) -> bool:
    """Return whether a header entry has a known type, a shape and two offsets, all plain values."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        return False
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2:
        return False
    # At most 8 axes and 2^40 elements, so that products cannot overflow whatever a file claims.
    plain = all(type(number) is int and 0 <= number < 1 << 40 for number in [*shape, *offsets])
    return (
        plain and len(shape) <= 8 and isinstance(entry["dtype"], str) and entry["dtype"] in _SIZES
    )


def _json_object(path: str | os.PathLike[str], text: str | bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested without end
        raise _refused(path, f"the {what} is not JSON") from None
    if not isinstance(value, dict):
        raise _refused(path, f"the {what} is not a JSON object")
    return value


def _no_constant(_: str) -> float:
    raise ValueError  # the caller turns this into an error about the file


def _inner_object(
    path: str | os.PathLike[str], metadata: dict[str, Any], key: str
) -> dict[str, Any]:
    text = metadata.get(key)
    if not isinstance(text, str):
        raise _refused(path, f"the header has no {key}")
    return _json_object(path, text, key)


def _provenance(path: str | os.PathLike[str], facts: dict[str, Any]) -> Provenance:
    """Create a Provenance; fields of later versions are ignored."""
    if "licence" in facts:  # the spelling in files before 0.2
        facts = {"license": facts["licence"], **facts}
    known = {item.name for item in dataclasses.fields(Provenance)}
    facts = {name: value for name, value in facts.items() if name in known}
    step = facts.pop("step", None)
    whole = {"source", "data", "license", "gatefill", "created"} <= set(facts)
    if not whole or not all(isinstance(value, str) for value in facts.values()):
        raise _refused(path, "the provenance is incomplete")
    if step is not None and type(step) is not int:
        raise _refused(path, "the provenance has a step that is not a whole number")
    return Provenance(step=step, **facts)


def _refused(path: str | os.PathLike[str], why: str) -> WeightsError:
    why = " ".join(why.split())
    return WeightsError(
        f"expected a gatefill weights file, got {Path(path).name}: {why}",
        code="weights.file",
        file=Path(path).name,
        reason=why,
    )
