"""Reads and writes weights: gatefill's own format, and those of other programs.

torch, safetensors and TensorFlow are imported only by functions that need them.
"""

from gatefill.checkpoints.convert import convert
from gatefill.checkpoints.describe import Description, describe
from gatefill.checkpoints.hub import write_folder
from gatefill.checkpoints.native import (
    Provenance,
    WeightsInfo,
    load_weights,
    read_header,
    save_weights,
)
from gatefill.checkpoints.networks import load_method, load_network
from gatefill.checkpoints.shipped import find_weights, shipped_weights

__all__ = [
    "Description",
    "Provenance",
    "WeightsInfo",
    "convert",
    "describe",
    "find_weights",
    "load_method",
    "load_network",
    "load_weights",
    "read_header",
    "save_weights",
    "shipped_weights",
    "write_folder",
]
