"""Initialization of a network's weights."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from gatefill.layers.gated import Activation, Convolution
from gatefill.training.config import Initialization

Network = TypeVar("Network", bound=nn.Module)

GATE_BIAS = 1.0  # mean initial gate 0.73 instead of 0.5
OUTPUT_GAIN = 0.5  # avoids saturation of tanh in the output layers


def initialize(network: Network, start: Initialization) -> Network:
    """Initialize the weights of a new network, and return it.

    published: Glorot's initialization with zero bias. Each gate then halves the signal, of which
        one
    millionth is left after 17 layers.
    keep_variance: every gated layer keeps the mean square of its inputs.
    """
    if start == "published":
        return network
    for layer in network.modules():
        if isinstance(layer, Convolution):
            _keep_variance(layer)
    return network


def _keep_variance(layer: Convolution) -> None:
    inputs = layer.weight[0].numel()
    with torch.no_grad():
        if layer.activation == "none":
            layer.weight.normal_(0.0, OUTPUT_GAIN / math.sqrt(inputs))
            return
        gated = layer.kind in ("gated", "single_gate")
        deviation = gain(layer.activation, gated) / math.sqrt(inputs)
        layer.weight[: layer.width].normal_(0.0, deviation)
        if gated:
            layer.weight[layer.width :].normal_(0.0, 1.0 / math.sqrt(inputs))
            layer.bias[layer.width :] = GATE_BIAS


def gain(activation: Activation, gated: bool) -> float:
    """Return the standard deviation of features for which a layer's outputs have mean square 1.

    Inputs have mean square 1; a gate is the sigmoid of a normal variable with mean `GATE_BIAS`.
    """
    # Gauss-Hermite quadrature: the mean over a normal variable.
    points, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    gate = 1.0 / (1.0 + np.exp(-(points + GATE_BIAS))) if gated else np.ones_like(points)
    passed = float(weights @ gate**2)
    deviation = 1.0
    for _ in range(50):  # fixed-point iteration, since ELU is not homogeneous
        found = float(weights @ _activated(deviation * points, activation) ** 2)
        deviation /= math.sqrt(passed * found)
    return deviation


def _activated(x: np.ndarray, activation: Activation) -> np.ndarray:
    negative = {"elu": np.expm1(np.minimum(x, 0.0)), "leaky_relu": 0.2 * np.minimum(x, 0.0)}
    return np.asarray(np.maximum(x, 0.0) + negative.get(activation, 0.0))
