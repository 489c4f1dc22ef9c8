"""The vote, beside one that is written as its docstring reads."""

import numpy as np
import pytest

from gatefill.methods import pyramid
from gatefill.methods.patchmatch import kernels, voting

HEIGHT, WIDTH, SIDE = 20, 24, 5
FLOOR, DOUBT = np.float32(60), np.float32(30)


def literal_vote(image, smooth, usable, field, sharpness, y, x):
    """What becomes of a pixel, and where its detail is from; None where nothing is proposed."""
    radius = SIDE // 2
    rows = range(max(y - radius, 0), min(y + radius + 1, HEIGHT))
    columns = range(max(x - radius, 0), min(x + radius + 1, WIDTH))
    costs, proposals = [], []
    for cy in rows:
        for cx in columns:
            costs.append(float(field.cost[cy, cx]))
            sy, sx = field.y[cy, cx] + y - cy, field.x[cy, cx] + x - cx
            if 0 <= sy < HEIGHT and 0 <= sx < WIDTH and usable[sy, sx]:
                proposals.append((costs[-1], sy, sx))
    if not proposals:
        return None
    least = min(costs)
    u = [(cost - least) / (least + FLOOR) * sharpness for cost, _, _ in proposals]
    weights = [1 / (1 + each + each**2) for each in u]
    mean = np.average([smooth[sy, sx] for _, sy, sx in proposals], axis=0, weights=weights)
    _, sy, sx = min(proposals, key=lambda proposal: proposal[0])
    trust = 1 / (1 + (DOUBT * ((smooth[sy, sx] - mean) ** 2).sum()) ** 2)
    return np.clip(mean + trust * (image[sy, sx] - smooth[sy, sx]), 0, 1), (sy, sx)


@pytest.mark.parametrize(("share", "sharpness"), [(0.95, 2), (0.3, 2), (0.02, 2), (0.8, 0)])
def test_a_vote_is_what_it_says_whatever_share_is_usable(share: float, sharpness: int) -> None:
    dice = np.random.default_rng(3)
    image = dice.random((HEIGHT, WIDTH, 3), dtype=np.float32)
    usable = dice.random((HEIGHT, WIDTH)) < share
    image[~usable] = 0
    targets = np.zeros((HEIGHT, WIDTH), bool)
    targets[:9, 3:15] = True
    targets[15:, 20:] = True
    # Few costs, so that some are the same and the first of them counts.
    cost = dice.integers(0, 9, targets.shape).astype(np.int32) * 100
    field = kernels.Field(
        dice.integers(0, HEIGHT, targets.shape).astype(np.int32),
        dice.integers(0, WIDTH, targets.shape).astype(np.int32),
        np.where(targets, cost, kernels.NEVER).astype(np.int32),
    )
    field.y[~targets] = kernels.NOWHERE
    spans = np.zeros((HEIGHT, 2), np.int32)
    spans[:9], spans[15:] = (3, 15), (20, 24)

    radius = SIDE // 2
    padded = (HEIGHT + 2 * radius, WIDTH + 2 * radius, 4)
    material = voting.Material(image, np.zeros(np.prod(padded), np.float32))
    voting.smooth_rows(0, HEIGHT, image, usable, usable, radius, material.smooth)
    inside = material.smooth.reshape(padded)[radius:-radius, radius:-radius]
    smooth = pyramid.smoothed(image, usable) * usable[..., None]
    np.testing.assert_allclose(inside[..., :3], smooth, atol=1e-6)
    np.testing.assert_array_equal(inside[..., 3], usable)

    proposals = voting.Proposals.none(HEIGHT * WIDTH)
    voting.propose(0, HEIGHT, spans, field, SIDE, proposals)
    # A pixel at the margin of the targets as well, as those of the rim are.
    ys, xs = np.nonzero(targets)
    ys, xs = np.append(ys, 9).astype(np.int32), np.append(xs, 15).astype(np.int32)
    out, from_y, from_x = image.copy(), *np.full((2, HEIGHT, WIDTH), -1, np.int32)
    features = np.zeros(padded[0] * padded[1] * 5, np.uint8)
    voting.vote(
        0, ys.size, material, field, proposals, ys, xs, SIDE, np.float32(sharpness), FLOOR, DOUBT,
        out, features, 5, from_y, from_x,
    )  # fmt: skip
    counted = 0
    colors = features.reshape(*padded[:2], 5)[radius:-radius, radius:-radius]
    assert not colors[..., 3:].any()
    for y, x in zip(ys, xs, strict=True):
        wanted = literal_vote(image, smooth, usable, field, sharpness, y, x)
        if wanted is None:
            assert from_y[y, x] == -1
            np.testing.assert_array_equal(out[y, x], image[y, x])
            continue
        counted += 1
        np.testing.assert_allclose(out[y, x], wanted[0], atol=1e-5)
        assert (from_y[y, x], from_x[y, x]) == wanted[1]
        assert (np.abs(colors[y, x, :3] - out[y, x] * 255) <= 0.51).all()
    assert counted > 20
