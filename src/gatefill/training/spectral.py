"""A loss for detail that needs no discriminator: amplitudes of local spectra, without phases.

The exact position of detail in a hole cannot be predicted, and does not change this loss. It
penalizes missing detail, patterns of a single frequency, color noise, and edges at the boundary of
the hole. Speech vocoders are trained with losses of amplitudes in windows of several sizes
(Yamamoto et al., Parallel WaveGAN, arXiv 1910.11480); this is the same in two dimensions, for
holes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.training.losses import chosen, places_of

SIDES = (8, 16, 32)  # sides of the windows, in pixels
FLOOR = 0.02  # amplitude of invisible noise, for colors in [-1, 1]
# Rows: luminance and two color differences, for any order of the channels.
COLORS = ((3**-0.5,) * 3, (2**-0.5, -(2**-0.5), 0.0), (6**-0.5, 6**-0.5, -2 * 6**-0.5))


def spectral_loss(found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Mean difference of the local spectra of two composites around the holes.

    Args:
        found: ``B3HW`` in [-1, 1].
        wanted: ``B3HW`` in [-1, 1], the same outside the holes.
        mask: ``B1HW``, 1 = hole.

    Returns:
        The mean over the window sizes that fit into the frame; 0 if none fits or without a hole.
    """
    sides = [side for side in SIDES if side <= min(mask.shape[-2:])]
    losses = [_apart(found.float(), wanted.float(), mask.float(), side) for side in sides]
    return torch.stack(losses).mean() if losses else 0.0 * found.sum()


def _apart(found: Tensor, wanted: Tensor, mask: Tensor, side: int) -> Tensor:
    """Return the difference for windows of one size with half overlap, weighted by hole share."""
    share = functional.avg_pool2d(mask, side, side // 2)[:, 0]  # BYX
    places = places_of(share > 0)
    if not len(places):
        return 0.0 * found.sum()
    apart = _logarithms(found, places, side) - _logarithms(wanted, places, side)
    shares = chosen(share.flatten(), places)
    return (apart.abs().mean(dim=(1, 2, 3)) * shares).sum() / shares.sum()


def _logarithms(frames: Tensor, places: Tensor, side: int) -> Tensor:
    """Return log amplitudes of N chosen windows: ``N3HW`` of one half of the frequency plane.

    The amplitude of white noise is its standard deviation. frames: ``B3HW``. places: int64, indices
    among the BYX windows.
    """
    taper = torch.hann_window(side, device=frames.device)
    taper = taper[:, None] * taper
    taper = taper / taper.square().sum().sqrt()
    turn = torch.tensor(COLORS, device=frames.device)
    colors = torch.einsum("dc,bchw->bdhw", turn, frames)
    windows = colors.unfold(2, side, side // 2).unfold(3, side, side // 2)  # B3YXHW
    windows = chosen(windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2), places)
    windows = windows - windows.mean(dim=(2, 3), keepdim=True)
    spectrum = torch.fft.rfft2(windows * taper)
    # The root has no finite gradient at 0.
    power = spectrum.real.square() + spectrum.imag.square() + FLOOR**2
    logarithms: Tensor = 0.5 * power.log()
    return logarithms
