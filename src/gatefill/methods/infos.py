"""The table of methods: what each is and has, readable without loading any of them."""

from __future__ import annotations

from gatefill.methods.base import MethodInfo

# The four properties stand as in the first table of arXiv 1806.03589.
METHODS: dict[str, MethodInfo] = {
    "patchmatch": MethodInfo(
        name="patchmatch",
        title="PatchMatch",
        paper="Barnes et al., SIGGRAPH 2009",
        semantic=False,
        non_local=True,
        free_form=True,
        user_guided=True,
        trainable=False,
        takes_weights=False,
        takes_sketch=True,
        takes_search=True,
    ),
}
