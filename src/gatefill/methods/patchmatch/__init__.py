"""PatchMatch: the method, the solver of one pyramid level, compiled kernels, and seam blending."""

from gatefill.methods.patchmatch.config import PatchMatchConfig
from gatefill.methods.patchmatch.method import PatchMatch

__all__ = ["PatchMatch", "PatchMatchConfig"]
