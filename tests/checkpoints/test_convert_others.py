"""Files of other networks, with weights that are not finite, and wrapped ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from .test_convert import converted, port_state, random_layers, refused


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            ("enc_1.conv.input_conv.weight", "enc_1.conv.mask_conv.weight"),
            "Partial Convolution of py",
        ),
        (("module.enc_1.conv.input_conv.weight",), "Partial Convolution of py"),
        (
            ("generator.encoder.enc1.conv.weight",),
            "Partial Convolution or Global & Local of mmagic",
        ),
        (("conv1.weight", "bn1.weight", "deconv13.weight"), "GLCIC"),
    ],
)
def test_networks_of_other_programs_are_named(
    tmp_path: Path, keys: tuple[str, ...], message: str
) -> None:
    torch.save({"model": dict.fromkeys(keys, torch.zeros(2, 2))}, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", rf"but x\.pth holds a .*{message}.*cannot convert")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_do_not_convert(tmp_path: Path, value: float) -> None:
    state = port_state(random_layers(4), "ported")
    next(iter(state.values()))[0, 0, 0, 0] = value
    torch.save({"G": state}, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", r"expected finite weights, got NaN or infinity: 1 .*conv1\.weight")


def test_the_prefix_of_data_parallel_is_taken_off(tmp_path: Path) -> None:
    state = port_state(random_layers(4), "retrained")
    _, wanted = converted({"G": state}, tmp_path)
    _, found = converted({"G": {f"module.{k}": v for k, v in state.items()}}, tmp_path)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
