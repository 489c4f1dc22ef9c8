"""Random masks with a hole share in a given range."""

from __future__ import annotations

from gatefill.errors import ConfigError
from gatefill.masks.base import Chance, Mask, MaskGenerator, generator, hole_share

HOLE_BINS: dict[str, tuple[float, float]] = {
    "0-10": (0.0, 0.1),
    "10-20": (0.1, 0.2),
    "20-30": (0.2, 0.3),
    "30-40": (0.3, 0.4),
    "40-50": (0.4, 0.5),
    "50-60": (0.5, 0.6),
}
"""The usual bins, in percent: more than the first number, up to the second one included."""


def sample_in_bin(
    kind: MaskGenerator,
    height: int,
    width: int,
    chance: Chance,
    low: float,
    high: float,
    *,
    tries: int = 1000,
) -> Mask:
    """Return the first of up to `tries` masks with a hole share in (low, high].

    Args:
        kind: The mask generator.
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.
        low, high: Bounds of the hole share, in [0, 1].
        tries: Largest number of masks to generate.

    Returns:
        Bool ``HW``, True = hole.

    Raises:
        ConfigError: If no mask is in the bin; the message names the shares that occurred.
    """
    if not 0 <= low < high <= 1:
        raise ConfigError(
            f"expected hole shares 0 <= low < high <= 1, got {low} and {high}",
            code="masks.shares",
            low=low,
            high=high,
        )
    if tries < 1:
        raise ConfigError(
            f"expected at least one try, got {tries}",
            code="config.range",
            name="tries",
            value=tries,
            least=1,
        )
    rng = generator(chance)
    shares = []
    for _ in range(tries):
        mask = kind(height, width, rng)
        share = hole_share(mask)
        if low < share <= high:
            return mask
        shares.append(share)
    raise ConfigError(
        f"expected a mask with a hole share between {low:.0%} and {high:.0%}, got none in {tries} "
        f"tries at {width}x{height}: this kind gave {min(shares):.1%} to {max(shares):.1%}",
        code="masks.no_share",
        low=low,
        high=high,
        least=min(shares),
        most=max(shares),
    )
