"""Random masks

The masks used for training and evaluation in papers, by size and random seed: `gatefill.masks`,
or `gatefill masks` on the command line.
"""

from panels import save_panels

from gatefill.masks import MASKS, hole_share

masks = {kind: make(180, 360, 7) for kind, make in MASKS.items()}
for kind, mask in masks.items():
    print(f"{kind:<12} {hole_share(mask):.0%} hole")

save_panels("random_masks", **masks)
