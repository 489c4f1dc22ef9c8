"""Fields of a config dataclass set by text: ``patch_size=9``, as the command line takes them."""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Config = TypeVar("Config")

WORDS = {"true": True, "yes": True, "on": True, "1": True}
WORDS |= {"false": False, "no": False, "off": False, "0": False}


def with_settings(config: Config, settings: Iterable[str]) -> Config:
    """A copy of a dataclass instance with fields replaced by ``KEY=VALUE`` texts.

    The value is read as the field's type says: int, float, bool (true/false, yes/no, on/off, 1/0),
    str, Path, Literal, tuple (``1,2,3``), any of these or None (``none``). A field that is itself
    a dataclass is reached by a dot: ``loss.hole=6``. Raises ValueError for an unknown key, naming
    its neighbours, and for a value that does not fit its field.
    """
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"expected a setting as KEY=VALUE, got {setting!r}")
        config = _with_one(config, key.strip(), value.strip(), key.strip())
    return config


def _with_one(config: Config, key: str, value: str, whole_key: str) -> Config:
    assert is_dataclass(config)
    assert not isinstance(config, type)
    name, dot, rest = key.partition(".")
    names = [field.name for field in fields(config) if field.init]
    if name not in names:
        raise ValueError(_unknown(name, config))
    inner = getattr(config, name)
    if is_dataclass(inner):
        if not dot:
            inside = ", ".join(f"{name}.{field.name}" for field in fields(inner))
            raise ValueError(f"expected a field of {name!r}, one of {inside}; got {whole_key!r}")
        return replace(config, **{name: _with_one(inner, rest, value, whole_key)})
    if dot:
        raise ValueError(f"expected {name!r} alone, which has no fields, got {whole_key!r}")
    kind = get_type_hints(type(config))[name]
    return replace(config, **{name: read_value(value, kind, whole_key)})


def _unknown(name: str, config: Config) -> str:
    known = _names(config)
    last = {each.rpartition(".")[2]: each for each in reversed(known)}
    near = [last[each] for each in get_close_matches(name, last, n=3)]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    listed = ", ".join(known) if known else "none: it has no settings"
    return f"unknown setting {name!r} of {type(config).__name__}{hint} (settings: {listed})"


def _names(config: object, before: str = "") -> list[str]:
    """All settings of a config, those of its parts with their dots."""
    found: list[str] = []
    assert is_dataclass(config)
    for each in fields(config):
        inner = getattr(config, each.name)
        if is_dataclass(inner):
            found += _names(inner, f"{before}{each.name}.")
        elif each.init:
            found.append(before + each.name)
    return found


def read_value(text: str, kind: Any, name: str = "the setting") -> Any:
    """The value of type `kind` that a text stands for. Raises ValueError where it is none."""
    try:
        return _read(text, kind)
    except ValueError:
        raise ValueError(f"expected {describe(kind)} for {name}, got {text!r}") from None


def _read(text: str, kind: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _first_that_fits(text, arguments)
    if origin is Literal:
        for choice in arguments:
            if text == str(choice):
                return choice
        raise ValueError
    if origin is tuple:
        return _read_tuple(text, arguments)
    if kind is type(None):
        if text.lower() == "none":
            return None
        raise ValueError
    if kind is bool:
        if text.lower() in WORDS:
            return WORDS[text.lower()]
        raise ValueError
    if kind in (int, float, str, Path):
        return kind(text)
    raise TypeError(f"a setting of type {kind} cannot be given as text")


def _first_that_fits(text: str, kinds: tuple[Any, ...]) -> Any:
    # None before str, which would take the word "none" for itself.
    for kind in sorted(kinds, key=lambda kind: (kind is str, kind is not type(None))):
        try:
            return _read(text, kind)
        except ValueError:
            continue
    raise ValueError


def _read_tuple(text: str, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    parts = [part.strip() for part in text.strip("()").split(",") if part.strip()]
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(parts)
    if len(parts) != len(kinds):
        raise ValueError
    return tuple(_read(part, kind) for part, kind in zip(parts, kinds, strict=True))


def describe(kind: Any) -> str:
    """A type in words a user knows: ``a whole number``, ``one of a, b``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(argument) for argument in arguments)
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"values with commas between, each {describe(arguments[0])}"
        return f"{len(arguments)} values with commas between, each {describe(arguments[0])}"
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "a text",
        Path: "a path",
        type(None): "none",
    }
    return words.get(kind, str(kind))
