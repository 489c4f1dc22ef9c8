"""Between a photo and a network: what all methods that run a network share."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from gatefill.errors import ConfigError
from gatefill.geometry import pad_to_multiple
from gatefill.layers.contextual_attention import Attended
from gatefill.methods.base import (
    Attention,
    Fill,
    Image,
    Mask,
    MethodInfo,
    Progress,
    check_frame,
)
from gatefill.parallel import use_library_pool

log = logging.getLogger(__name__)

CELL = 8  # pixels of a side of an attention cell
PLACES = 4  # places reported per cell

N = TypeVar("N", bound=nn.Module)


class Frames(NamedTuple):
    """What a network found, in [-1, 1] and in its own channel order."""

    image: Tensor  # B3HW
    coarse: Tensor | None = None
    attention: Attended | None = None


class NetworkMethod(ABC):
    """A network behind the interface `Method`: one photo in, one `Fill` out.

    It pads to the network's multiple, changes range and channel order, and runs without gradients
    on a device in a number format. A subclass says how its network is called.
    """

    def __init__(
        self,
        info: MethodInfo,
        network: nn.Module,
        channel_order: Literal["bgr", "rgb"],
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._info = info
        self._channel_order = channel_order
        self.device = usable_device(device)
        self.dtype = dtype
        self.network = network.to(self.device, dtype).eval()
        self._layers = _tell_layers(self.network)

    @property
    def info(self) -> MethodInfo:
        return self._info

    @abstractmethod
    def _run(self, image: Tensor, mask: Tensor, sketch: Tensor | None) -> Frames:
        """Call the network. ``B3HW`` in [-1, 1], masks ``B1HW``; sides are fit for it."""

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
        *,
        search: Mask | None = None,
    ) -> Fill:
        """Fill the hole; see `Method.fill`."""
        check_frame(self.info, image, mask, sketch, search)

        # The mirrored part of a hole is as unknown as the hole.
        padded = [pad_to_multiple(image, self.info.multiple)]
        padded += [pad_to_multiple(mask, self.info.multiple)]
        drawing = None
        if sketch is not None:
            drawing = self._tensor(pad_to_multiple(sketch, self.info.multiple)[..., None])
        pixels = self._reordered(self._tensor(padded[0])) * 2.0 - 1.0

        _survive_fork()
        with torch.inference_mode(), _reporting(progress, self._layers):
            frames = self._run(pixels, self._tensor(padded[1][..., None]), drawing)
        found = Fill(
            image=self._image(frames.image, image.shape),
            coarse=None if frames.coarse is None else self._image(frames.coarse, image.shape),
            attention=None if frames.attention is None else to_attention(frames.attention, mask),
        )
        return self._finish(found, image, mask)

    def _finish(self, found: Fill, image: Image, mask: Mask) -> Fill:  # noqa: ARG002
        """What comes after the network, given the photo and its hole; here nothing."""
        return found

    def _tensor(self, array: np.ndarray) -> Tensor:
        """``HWC`` -> ``1CHW`` on the method's device in its number format."""
        contiguous = np.ascontiguousarray(array.transpose(2, 0, 1)[None])
        return torch.from_numpy(contiguous).to(self.device, self.dtype)

    def _image(self, frame: Tensor, shape: tuple[int, ...]) -> Image:
        """``13HW`` in [-1, 1] -> ``HW3`` RGB in [0, 1], cut to the photo's size."""
        frame = self._reordered(frame.float()).clamp(-1.0, 1.0) / 2.0 + 0.5
        array: Image = frame[0, :, : shape[0], : shape[1]].permute(1, 2, 0).cpu().numpy()
        return np.ascontiguousarray(array)

    def _reordered(self, frame: Tensor) -> Tensor:
        """RGB to the network's order, or back."""
        return frame.flip(1) if self._channel_order == "bgr" else frame


def to_attention(attended: Attended, mask: Mask) -> Attention:
    """The places where each cell of the first sample looked, for cells that hold hole pixels.

    mask: ``HW`` bool of the photo, whose size may be smaller than the attention's frame.
    """
    assert attended.sources is not None
    assert attended.weights is not None
    height, width = mask.shape
    rows, columns = attended.offsets.shape[-2:]
    frame = np.zeros((rows * CELL, columns * CELL), dtype=bool)
    frame[:height, :width] = mask
    cells = np.argwhere(frame.reshape(rows, CELL, columns, CELL).any(axis=(1, 3)))

    def at(values: Tensor) -> np.ndarray:
        return values[0].cpu().numpy()[:, cells[:, 0], cells[:, 1]].T

    sources = at(attended.sources)
    places = np.stack((sources // columns, sources % columns), axis=-1)
    # Cells at the right and lower border may reach into the padding.
    last = np.array([height - 1, width - 1])
    return Attention(
        target=np.minimum(cells * CELL + CELL // 2, last).astype(np.int32),
        source=np.minimum(places * CELL + CELL // 2, last).astype(np.int32),
        weight=at(attended.weights).astype(np.float32),
        stride=CELL,
    )


def untrained(create: Callable[[], N], title: str) -> N:
    """A network with random weights, the same every time, and a warning that says so."""
    log.warning("%s: no trained weights are loaded, the result will be meaningless", title)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return create()


def usable_device(device: str | torch.device) -> torch.device:
    """The device of that name. Raises ConfigError where torch cannot compute on it here."""
    try:
        return torch.zeros(1, device=device).add(1).device
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        reason = str(problem).partition("\n")[0][:200]
        raise ConfigError(
            f"expected a device that torch can use here, such as 'cpu' or 'cuda', "
            f"got {str(device)[:80]!r}: {reason}",
            code="device.unusable",
            device=str(device)[:80],
            reason=reason,
        ) from None


# What the fill at work calls after each layer. A fill is one context, so fills of one network in
# several threads, or one inside another's progress callback, do not see each other's.
_after_layer: ContextVar[Callable[[], None] | None] = ContextVar("_after_layer", default=None)


def _tell(*_: object) -> None:
    """The hook after a layer."""
    report = _after_layer.get()
    if report is not None:
        report()


def _tell_layers(network: nn.Module) -> int:
    """Let each layer tell the fill at work that it is done; return how many layers there are."""
    layers = [layer for layer in network.modules() if any(True for _ in layer.parameters(False))]
    for layer in layers:
        # Two methods may share a network, as validation does with the one that is trained.
        if _tell not in layer._forward_hooks.values():
            layer.register_forward_hook(_tell)
    return len(layers)


@contextmanager
def _reporting(progress: Progress | None, layers: int) -> Iterator[None]:
    """Call `progress` after each layer; an exception from it stops the fill."""
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        assert progress is not None
        progress(min(done / layers, 1.0))

    # Also without `progress`: the fill may run inside another one's callback.
    token = _after_layer.set(None if progress is None else report)
    try:
        yield
    finally:
        _after_layer.reset(token)


def _survive_fork() -> None:
    """Compute on one thread where torch's pool of threads was lost by a fork."""
    if not use_library_pool() and torch.get_num_threads() > 1:
        log.info("this process was forked after a fill: torch computes on one thread here")
        torch.set_num_threads(1)
