"""Parses texts such as ``deepfill_v2:W.safetensors`` to methods of a comparison."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import gatefill
from gatefill.errors import ConfigError, DataError
from gatefill.evaluation.files import file_sum, slug
from gatefill.evaluation.outside import OUTSIDE, create_outside, package_version
from gatefill.evaluation.photos import SUFFIXES
from gatefill.inpainter import Inpainter
from gatefill.loading import default_weights, find_weights
from gatefill.methods import METHODS, Method, MethodInfo
from gatefill.methods.registry import takes_no_weights, unknown_method
from gatefill.scales import Large

PICTURES = "=PICTURES"  # in place of a folder of pictures in a spec
_LABELED = re.compile(r"([^=/\\:]+)=(.+)")
_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Contestant:
    """A method in a comparison. It is loaded in its own process, so it must be picklable."""

    label: str  # unique name in tables
    info: MethodInfo
    version: str  # version of its code, checksum of its weights
    open: Callable[[], Inpainter] | None = None  # None for methods that are not run
    pictures: Path | None = None  # folder of its fills, for methods that are not run
    spec: str = ""  # the text that specifies it, without folders

    @property
    def unknown(self) -> bool:
        """Whether nothing is known about it but its pictures."""
        return self.spec.endswith(PICTURES)

    def as_row(self) -> dict[str, Any]:
        """Return the fields that a report keeps."""
        row = {"contestant": self.label, "version": self.version, "spec": self.spec}
        return row | {"info": asdict(self.info)}

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> Contestant:
        """Restore a method of an earlier run, which is not run again."""
        info = MethodInfo(**row["info"] | {"needs": tuple(row["info"]["needs"])})
        return cls(row["contestant"], info, row["version"], spec=row["spec"])


def contestants(
    specs: Sequence[str], device: str = "cpu", large: Large = "auto"
) -> list[Contestant]:
    """Parse the methods of a comparison.

    Each is ``NAME`` or, with weights, ``NAME:WEIGHTS``, a file or a name that `gatefill.load`
    accepts; ``module:Class`` for a method of the user; or a folder with pictures of another
    program. A prefix ``LABEL=`` sets the name in tables.

    Raises ConfigError for unknown names, networks without weights and repeated labels,
    FileNotFoundError for missing weights. Methods are not loaded yet, but modules of the user are
    imported.
    """
    found = [_contestant(spec, device, large) for spec in specs]
    if not found:
        raise ConfigError("expected at least one method, got none", code="compare.no_methods")
    labels = [contestant.label for contestant in found]
    for label in labels:
        count = [slug(other) for other in labels].count(slug(label))
        if count > 1:
            raise ConfigError(
                f"expected each method once, got {label} {count} times: give them labels",
                code="compare.twice",
                name=label,
            )
    return found


def _contestant(spec: str, device: str, large: Large) -> Contestant:
    label, text = "", spec
    if (match := _LABELED.fullmatch(spec)) and not Path(spec).exists():
        label, text = match.groups()
    name, _, weights = text.partition(":")
    known = name in OUTSIDE or name in METHODS
    if not known and Path(text).is_dir():
        return _ready(label or Path(text).resolve().name, Path(text))
    if not known and _CLASS.fullmatch(text):
        return _own(label or text.partition(":")[2], text, large)
    file = f"{name}:{Path(weights).name}" if weights else name
    spec = f"{label}={file}" if label else file
    common: dict[str, Any] = {"large": large}
    if name in OUTSIDE:
        if weights:
            raise takes_no_weights(name, weights)
        start = partial(_outside, name, large)
        return Contestant(label or name, OUTSIDE[name], package_version(name), start, spec=spec)
    if name not in METHODS:
        raise unknown_method(name, METHODS | OUTSIDE)
    info = METHODS[name]
    if weights and not info.takes_weights:
        raise takes_no_weights(name, weights)
    if weights:
        given = find_weights(weights)
        if not given.is_file():
            raise FileNotFoundError(f"no such file: {weights}")
        label, version = label or f"{name}:{Path(weights).stem}", _with_sum(given)
        common |= {"weights": given, "device": device}
    elif shipped := default_weights(name):
        version = _with_sum(shipped)
        common["device"] = device
    elif info.takes_weights:
        raise ConfigError(
            f"expected weights for {name}, as {name}:FILE: without any it is noise",
            code="compare.no_weights",
            method=name,
        )
    else:
        version = _own_version()
    start = partial(gatefill.load, name, **common)
    return Contestant(label or name, info, version, start, spec=spec)


def _ready(label: str, folder: Path) -> Contestant:
    """Make a contestant of a folder with fills of another program."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(
            f"expected the pictures of {label} in {folder}, found none",
            code="compare.no_pictures",
            folder=str(folder),
        )
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name} {file_sum(path)}\n".encode())
    version = f"{len(files)} pictures, {total.hexdigest()[:12]}"
    info = _unknown(label, f"{label} (pictures)")
    return Contestant(label, info, version, pictures=folder, spec=f"{label}{PICTURES}")


def _own(label: str, text: str, large: Large) -> Contestant:
    """Make a contestant of a method of the user."""
    method = _create(text)
    try:
        version = file_sum(Path(inspect.getfile(type(method))))[:12]
    except (TypeError, OSError):
        version = "unknown"
    return Contestant(
        label,
        method.info,
        f"{text}, code {version}",
        partial(_own_inpainter, text, large),
        spec=f"{label}={text}",
    )


def _own_inpainter(text: str, large: Large) -> Inpainter:
    return gatefill.load(_create(text), large=large)


def _create(text: str) -> Method:
    """Create an object of the class without arguments; modules in the current folder are found."""
    module, _, name = text.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        made = getattr(importlib.import_module(module), name)()
    except ModuleNotFoundError as error:
        if error.name is None or module.partition(".")[0] != error.name.partition(".")[0]:
            raise
        raise ConfigError(
            f"expected a method, a folder of pictures or module:Class, got {text!r:.80}",
            code="compare.no_module",
            value=text,
        ) from None
    except AttributeError:
        if hasattr(sys.modules.get(module), name):
            raise  # an error inside the class
        raise ConfigError(
            f"expected a class of {module}, got {name!r}, which it does not have",
            code="compare.no_class",
            module=module,
            name=name,
        ) from None
    if not isinstance(getattr(made, "info", None), MethodInfo) or not hasattr(made, "fill"):
        raise ConfigError(
            f"expected {text} to make a method, with info and fill, got {type(made).__name__}",
            code="compare.no_method",
            value=text,
        )
    method: Method = made
    return method


def _unknown(name: str, title: str) -> MethodInfo:
    """Return the description of an unknown program that made pictures."""
    return MethodInfo(
        name=name,
        title=title,
        paper="",
        semantic=False,
        non_local=False,
        free_form=True,
        user_guided=False,
    )


def _outside(name: str, large: Large) -> Inpainter:
    return gatefill.load(create_outside(name), large=large)


@cache
def _own_version() -> str:
    """Return gatefill's version with a checksum of its code, which changes between releases."""
    package = Path(gatefill.__file__).parent
    files = [package / "inpainter.py", package / "regions.py", package / "geometry.py"]
    for folder in ("methods", "layers"):
        files += sorted((package / folder).rglob("*.py"))
    total = hashlib.sha256(b"".join(path.read_bytes() for path in files))
    return f"gatefill {gatefill.__version__}, code {total.hexdigest()[:8]}"


def _with_sum(weights: Path) -> str:
    return f"{_own_version()}, weights {file_sum(weights)[:12]}"
