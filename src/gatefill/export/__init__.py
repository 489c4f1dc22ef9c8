"""Networks as ONNX files, for gatefill without torch and for every program that runs such files."""

from gatefill.export.convert import Comparison, Exported, export

__all__ = ["Comparison", "Exported", "export"]
