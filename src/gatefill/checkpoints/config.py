"""Creates config dataclasses from the JSON of a weights file, with checks of every field."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from gatefill.errors import WeightsError

Config = TypeVar("Config")


def config_from(kind: type[Config], fields: Mapping[str, Any]) -> Config:
    """Create an instance of the config dataclass `kind` from the values of `fields`.

    A field that the file lacks takes its default, so that files of older versions stay readable as
    long as the default of a new field is the previous behavior. Raises WeightsError naming every
    field that is unknown, that has no value, or whose value has the wrong type.
    """
    hints = typing.get_type_hints(kind)
    known = {item.name: item for item in dataclasses.fields(typing.cast(Any, kind))}
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise WeightsError(
            f"{kind.__name__} has the fields {', '.join(known)}; "
            f"the file also has {', '.join(repr(name)[:80] for name in unknown)}",
            code="weights.config",
            fields=[name[:80] for name in unknown],
        )
    for name, item in known.items():
        optional = (item.default, item.default_factory) != (dataclasses.MISSING,) * 2
        if name not in fields and not optional:
            raise WeightsError(
                f"{kind.__name__} needs the field {name!r}, which the file lacks",
                code="weights.config",
                fields=[name],
            )
    return kind(**{name: _value(name, hints[name], value) for name, value in fields.items()})


def _value(name: str, hint: Any, value: Any) -> Any:
    """Convert `value` to the type `hint`; JSON's lists become tuples."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for choice in inner:
            try:
                return _value(name, choice, value)
            except WeightsError:
                continue
    elif origin is typing.Literal:
        if any(value == choice and type(value) is type(choice) for choice in inner):
            return value
    elif origin is tuple and isinstance(value, list):
        items = (inner[0],) * len(value) if inner[1:] == (Ellipsis,) else inner
        if len(items) == len(value):
            return tuple(_value(name, part, each) for part, each in zip(items, value, strict=True))
    elif (hint is type(None) and value is None) or (isinstance(hint, type) and type(value) is hint):
        return value
    elif hint is float and type(value) is int:
        return float(value)
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return config_from(hint, value)
    wanted = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    raise WeightsError(
        f"expected the config's field {name!r} as {wanted}, got {value!r:.80}",
        code="weights.config",
        fields=[name],
    )
