"""The methods behind one interface; nothing heavy is imported until one is created."""

from gatefill.methods.base import Attention, Fill, Method, MethodInfo, composite
from gatefill.methods.infos import METHODS

__all__ = ["METHODS", "Attention", "Fill", "Method", "MethodInfo", "composite"]
