"""Exports networks as ONNX, for gatefill without torch and for other programs."""

from gatefill.export.convert import Comparison, Exported, export

__all__ = ["Comparison", "Exported", "export"]
