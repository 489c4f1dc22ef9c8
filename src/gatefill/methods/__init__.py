"""The methods behind one interface; nothing heavy is imported until one is created."""

from gatefill.extras import MissingExtra
from gatefill.methods.base import Attention, Fill, Method, MethodInfo, composite
from gatefill.methods.factory import create, default_config, info_of, steered_by
from gatefill.methods.infos import METHODS

__all__ = [
    "METHODS",
    "Attention",
    "Fill",
    "Method",
    "MethodInfo",
    "MissingExtra",
    "composite",
    "create",
    "default_config",
    "info_of",
    "steered_by",
]
