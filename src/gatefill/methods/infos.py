"""The table of methods: what each is and has, readable without loading any of them."""

from __future__ import annotations

from gatefill.methods.base import MethodInfo

# The four properties stand as in the first table of arXiv 1806.03589.
METHODS: dict[str, MethodInfo] = {
    "hybrid": MethodInfo(
        name="hybrid",
        title="Hybrid",
        paper="a network that steers PatchMatch, docs/hybrid.md",
        semantic=True,
        non_local=True,
        free_form=True,
        user_guided=True,
        needs=("torch",),
        trainable=False,  # its network is, as what it is
        shipped="compact",
        takes_sketch=True,
        takes_search=True,
    ),
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
    "global_local": MethodInfo(
        name="global_local",
        title="Global & Local",
        paper="Iizuka et al., SIGGRAPH 2017",
        semantic=True,
        non_local=False,
        free_form=False,
        user_guided=False,
        needs=("torch",),
        multiple=4,
        max_side=512,
    ),
    "deepfill_v1": MethodInfo(
        name="deepfill_v1",
        title="DeepFill v1",
        paper="Yu et al., CVPR 2018, arXiv 1801.07892",
        semantic=True,
        non_local=True,
        free_form=False,
        user_guided=False,
        needs=("torch",),
        multiple=8,
        max_side=512,
    ),
    "partial_conv": MethodInfo(
        name="partial_conv",
        title="Partial Convolution",
        paper="Liu et al., ECCV 2018, arXiv 1804.07723",
        semantic=True,
        non_local=False,
        free_form=True,
        user_guided=False,
        needs=("torch",),
        max_side=512,
    ),
    "deepfill_v2": MethodInfo(
        name="deepfill_v2",
        title="DeepFill v2",
        paper="Yu et al., ICCV 2019, arXiv 1806.03589",
        semantic=True,
        non_local=True,
        free_form=True,
        user_guided=True,
        needs=("torch",),
        shipped="compact",
        takes_sketch=True,  # a guided network does; what is loaded says so itself
        multiple=8,
        max_side=512,
    ),
}
