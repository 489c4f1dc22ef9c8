"""Checks whether weights fit a network: all names, all shapes, and finite values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gatefill.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]


def expect_names(found: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise WeightsError if names are missing or unknown, naming the first ones."""
    missing, unknown = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    parts = [_first(names, what) for names, what in ((missing, "missing"), (unknown, "unknown"))]
    if missing or unknown:
        raise WeightsError(
            f"the weights do not fit the network: {' and '.join(filter(None, parts))}",
            code="weights.names",
            missing=missing[:10],
            unknown=[name[:120] for name in unknown[:10]],
        )


def expect_shapes(found: Shapes, wanted: Shapes) -> None:
    """Raise WeightsError if names or shapes differ, with both shapes of the first ones."""
    expect_names(found, wanted)
    differing = [
        f"{name} expected {list(shape)}, got {list(found[name])}"
        for name, shape in wanted.items()
        if tuple(found[name]) != tuple(shape)
    ]
    if differing:
        raise WeightsError(
            f"the weights do not fit the network: {_first(differing, 'of another shape')}",
            code="weights.shapes",
            differing=differing[:10],
        )


def expect_finite(state: Mapping[str, Tensor]) -> None:
    """Raise WeightsError if a weight is NaN or infinite."""
    spoilt = [name for name, value in state.items() if not bool(value.isfinite().all())]
    if spoilt:
        raise WeightsError(
            f"expected finite weights, got NaN or infinity: {_first(spoilt, 'with such values')}",
            code="weights.not_finite",
            names=spoilt[:10],
        )


def _first(names: list[str], what: str) -> str:
    shown = "; ".join(name[:120] for name in names[:3]) + ("; ..." if len(names) > 3 else "")
    return f"{len(names)} {what} ({shown})" if names else ""
