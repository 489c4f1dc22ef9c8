"""Config dataclasses: setting fields from text such as ``patch_size=9``, and checking fields."""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from gatefill.errors import ConfigError, did_you_mean

Config = TypeVar("Config")

WORDS = {"true": True, "yes": True, "on": True, "1": True}
WORDS |= {"false": False, "no": False, "off": False, "0": False}


def with_settings(config: Config, settings: Iterable[str]) -> Config:
    """Return a copy of a config with fields replaced by ``KEY=VALUE`` texts.

    The value is parsed according to the type of the field: int, float, bool (true/false, yes/no,
    on/off, 1/0), str, Path, Literal, tuple (``1,2,3``), any of these or None (``none``). A dot
    reaches the fields of a field that is itself a dataclass: ``loss.hole=6``.

    Args:
        config: A dataclass instance.
        settings: Texts such as ``"patch_size=9"``.

    Returns:
        A new instance.

    Raises:
        ConfigError: For an unknown key, naming similar ones, and for a value that does not fit its
            field.
    """
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"expected a setting as KEY=VALUE, got {setting!r:.80}",
                code="setting.form",
                setting=setting[:80],
            )
        config = _with_one(config, key.strip(), value.strip(), key.strip())
    return config


def _with_one(config: Config, key: str, value: str, whole_key: str) -> Config:
    assert is_dataclass(config)
    assert not isinstance(config, type)
    name, dot, rest = key.partition(".")
    names = [field.name for field in fields(config) if field.init]
    if name not in names:
        raise _unknown(name, config)
    inner = getattr(config, name)
    if is_dataclass(inner):
        if not dot:
            inside = ", ".join(f"{name}.{field.name}" for field in fields(inner))
            raise ConfigError(
                f"expected a field of {name!r}, one of {inside}; got {whole_key!r}",
                code="setting.group",
                setting=whole_key,
            )
        return replace(config, **{name: _with_one(inner, rest, value, whole_key)})
    if dot:
        raise ConfigError(
            f"expected {name!r} alone, which has no fields, got {whole_key!r:.80}",
            code="setting.no_group",
            setting=whole_key[:80],
        )
    kind = _hints(type(config))[name]
    return replace(config, **{name: read_value(value, kind, whole_key)})


def _unknown(name: str, config: Config) -> ConfigError:
    known = _names(config)
    last = {each.rpartition(".")[2]: each for each in reversed(known)}
    listed = ", ".join(known) if known else "none: it has no settings"
    return ConfigError(
        f"unknown setting {name!r:.80} of {type(config).__name__}{did_you_mean(name, last, last)} "
        f"(settings: {listed})",
        code="setting.unknown",
        setting=name[:80],
        known=known,
    )


def _names(config: object, before: str = "") -> list[str]:
    """Return the names of all settings, those of nested dataclasses with dots."""
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
    """Parse a text as a value of a type.

    Args:
        text: The text, such as ``"9"`` or ``"none"``.
        kind: The type, see `with_settings`.
        name: Name of the setting in messages.

    Returns:
        The value.

    Raises:
        ConfigError: If the text cannot be parsed.
    """
    try:
        return _read(text, kind)
    except ValueError:  # raised by int() and float(), too
        raise ConfigError(
            f"expected {describe(kind)} for {name}, got {text!r:.80}",
            code="setting.value",
            setting=name,
            value=text[:80],
        ) from None


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
    # None is tried before str, which would accept the word "none" as text.
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


def check_fields(config: object, **ranges: tuple[float, float]) -> None:
    """Check that each field of a config has a value of its type and in its range.

    Args:
        config: A dataclass instance; called from its ``__post_init__``.
        **ranges: By field name, the smallest and the largest allowed number; infinite where there
            is no bound. The numbers in a tuple are checked one by one; None is always allowed.

    Raises:
        ConfigError: For the first field with a wrong type or a value out of range.
    """
    assert is_dataclass(config)
    assert not isinstance(config, type)
    hints = _hints(type(config))
    for each in fields(config):
        value: Any = getattr(config, each.name)
        if not fits(value, hints[each.name]):
            raise _wrong_type(each.name, value, hints[each.name])
        least, most = ranges.get(each.name, (-math.inf, math.inf))
        values: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)
        numbers: list[Any] = [each for each in values if isinstance(each, Real)]
        for number in numbers:
            if not least <= number <= most:
                raise ConfigError(
                    f"expected {each.name} {_span(least, most)}, got {number}",
                    code="config.range",
                    name=each.name,
                    value=number,
                    least=least if math.isfinite(least) else None,
                    most=most if math.isfinite(most) else None,
                )


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def expect_at_least(least: float, **values: Any) -> None:
    """Raise ConfigError unless each value is a finite number, at least `least`; None is allowed."""
    for name, value in values.items():
        if value is None:
            continue
        if not _is_number(value):
            raise _wrong_type(name, value, float)
        if not least <= value < math.inf:
            raise ConfigError(
                f"expected {name} {_span(least, math.inf)}, got {value}",
                code="config.range",
                name=name,
                value=value,
                least=least,
            )


def expect_whole(least: int, **values: int) -> None:
    """Raise ConfigError unless each value is a whole number of at least `least`."""
    for name, value in values.items():
        expect_type(int, **{name: value})
        expect_at_least(least, **{name: value})


def expect_type(kind: Any, **values: object) -> None:
    """Raise ConfigError unless each value is of the given type, such as int."""
    for name, value in values.items():
        if not fits(value, kind):
            raise _wrong_type(name, value, kind)


def fits(value: object, kind: Any) -> bool:
    """Return whether a value is of a type, such as ``int`` or ``Literal["a", "b"] | None``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in arguments)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if kind is int:  # numpy scalars, too; True does not count as a number
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        return _is_number(value) and _is_finite(value)
    return kind is Any or isinstance(value, kind)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_finite(number: Any) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond all floats
        return False


def _wrong_type(name: str, value: object, kind: Any) -> ConfigError:
    hint = ""
    if get_origin(kind) is Literal and isinstance(value, str):
        hint = did_you_mean(value, map(str, get_args(kind)))
    return ConfigError(
        f"expected {name} as {describe(kind)}, got {value!r:.80}{hint}",
        code="config.value",
        name=name,
        value=repr(value)[:80],
    )


def _span(least: float, most: float) -> str:
    if math.isinf(most):
        return f"of {least} or more"
    return f"of {most} or less" if math.isinf(least) else f"in {least}..{most}"


def describe(kind: Any) -> str:
    """Describe a type in plain words: ``a whole number``, ``one of a, b``."""
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
    return words.get(kind) or (f"a {kind.__name__}" if isinstance(kind, type) else str(kind))
