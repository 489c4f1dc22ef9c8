"""Config fields set by text."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.settings import with_settings


@dataclass(frozen=True)
class Loss:
    hole: float = 6.0
    valid: float = 1.0


@dataclass(frozen=True)
class Plan:
    steps: int = 100
    rate: float = 1e-4
    shuffle: bool = True
    name: str = "run"
    folder: Path | None = None
    levels: int | None = None
    title: str | None = None
    vote: Literal["mean", "best"] = "mean"
    betas: tuple[float, float] = (0.5, 0.999)
    widths: tuple[int, ...] = (24, 48)
    loss: Loss = field(default_factory=Loss)


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("steps=7", "steps", 7),
        (" steps = -7 ", "steps", -7),
        ("rate=2e-5", "rate", 2e-5),
        ("shuffle=no", "shuffle", False),
        ("shuffle=True", "shuffle", True),
        ("name=a=b", "name", "a=b"),
        ("name=", "name", ""),
        ("folder=/tmp/x", "folder", Path("/tmp/x")),
        ("folder=none", "folder", None),
        ("levels=3", "levels", 3),
        ("levels=None", "levels", None),
        ("title=none", "title", None),
        ("title=nonesuch", "title", "nonesuch"),
        ("vote=best", "vote", "best"),
        ("betas=0.9, 0.99", "betas", (0.9, 0.99)),
        ("widths=(8,16,32)", "widths", (8, 16, 32)),
        ("widths=", "widths", ()),
        ("loss.hole=9", "loss", Loss(hole=9.0)),
    ],
)
def test_values_are_read_as_the_field_says(setting: str, name: str, value: object) -> None:
    before = Plan()
    after = with_settings(before, [setting])
    assert getattr(after, name) == value
    assert type(getattr(after, name)) is type(value)
    assert before == Plan()
    others = set(Plan.__dataclass_fields__) - {name}
    assert all(getattr(after, other) == getattr(before, other) for other in others)


@given(st.integers(), st.floats(allow_nan=False))
def test_numbers_come_back_as_they_were(steps: int, rate: float) -> None:
    plan = with_settings(Plan(), [f"steps={steps}", f"rate={rate}"])
    assert (plan.steps, plan.rate) == (steps, rate)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("steps", "expected a setting as KEY=VALUE, got 'steps'"),
        ("=3", "expected a setting as KEY=VALUE"),
        ("step=3", "unknown setting 'step' of Plan; did you mean steps"),
        ("zzz=3", r"unknown setting 'zzz' of Plan \(settings: steps, rate"),
        ("steps=1.5", "expected a whole number for steps, got '1.5'"),
        ("rate=fast", "expected a number for rate, got 'fast'"),
        ("shuffle=perhaps", "expected true or false for shuffle"),
        ("levels=x", "expected a whole number or none for levels, got 'x'"),
        ("vote=worst", "expected one of mean, best for vote, got 'worst'"),
        ("betas=1", "expected 2 values with commas between, each a number for betas"),
        ("widths=1,x", "expected values with commas between, each a whole number for widths"),
        ("loss=3", "expected a field of 'loss', one of loss.hole, loss.valid; got 'loss'"),
        ("loss.whole=3", "unknown setting 'whole' of Loss; did you mean hole"),
        ("steps.x=3", "expected 'steps' alone, which has no fields, got 'steps.x'"),
    ],
)
def test_what_does_not_fit_is_refused(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_settings(Plan(), [setting])


def test_a_rule_of_the_config_itself_is_heard() -> None:
    @dataclass(frozen=True)
    class Odd:
        size: int = 3

        def __post_init__(self) -> None:
            if self.size % 2 == 0:
                raise ValueError(f"expected an odd size, got {self.size}")

    with pytest.raises(ValueError, match="expected an odd size, got 4"):
        with_settings(Odd(), ["size=4"])
