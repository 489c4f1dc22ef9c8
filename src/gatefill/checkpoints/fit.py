"""Whether weights fit a network: every name, every shape, and what differs in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Shapes = Mapping[str, tuple[int, ...]]


def expect_names(found: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise ValueError naming the first of the names that are missing or not known."""
    missing, unknown = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    parts = [_first(names, what) for names, what in ((missing, "missing"), (unknown, "unknown"))]
    if missing or unknown:
        raise ValueError(f"the weights do not fit the network: {' and '.join(filter(None, parts))}")


def expect_shapes(found: Shapes, wanted: Shapes) -> None:
    """Raise ValueError where names or shapes differ, with both shapes of the first few."""
    expect_names(found, wanted)
    differing = [
        f"{name} expected {list(shape)}, got {list(found[name])}"
        for name, shape in wanted.items()
        if tuple(found[name]) != tuple(shape)
    ]
    if differing:
        raise ValueError(
            f"the weights do not fit the network: {_first(differing, 'of another shape')}"
        )


def _first(names: list[str], what: str) -> str:
    shown = "; ".join(name[:120] for name in names[:3]) + ("; ..." if len(names) > 3 else "")
    return f"{len(names)} {what} ({shown})" if names else ""
