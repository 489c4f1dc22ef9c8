"""PatchMatch: the method, the solver of one level, compiled kernels, and seam blending."""

from gatefill.methods.patchmatch.method import PatchMatch, PatchMatchConfig

__all__ = ["PatchMatch", "PatchMatchConfig"]
