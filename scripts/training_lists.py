"""Write the lists that the shipped weights are trained and validated with.

    python scripts/training_lists.py PHOTOS -o LISTS

PHOTOS holds photographs in the folder photos and textures in the folder textures; which of them is
for what stands in docs/compact/data.tsv, by name. LISTS gets train.txt (photographs twice, textures
once), validation.txt and test.txt, for `gatefill train --data` and `--validate`.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "docs" / "compact" / "data.tsv"
ONCE = "textures"  # the folder of which there is more than enough


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    found = {path.name: path.resolve() for path in sorted(options.photos.rglob("*.*"))}
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    missing = [row["name"] for row in rows if row["name"] not in found]
    if missing:
        parser.error(f"{len(missing)} of {len(rows)} pictures are not there, such as {missing[0]}")
    options.output.mkdir(parents=True, exist_ok=True)
    for use, name in (("training", "train"), ("validation", "validation"), ("test", "test")):
        listed = [
            str(found[row["name"]])
            for row in rows
            if row["use"] == use
            for _ in range(1 if use != "training" or found[row["name"]].parent.name == ONCE else 2)
        ]
        (options.output / f"{name}.txt").write_text("\n".join(listed) + "\n", encoding="utf-8")
        print(f"{name}.txt: {len(listed)} lines, {len(set(listed))} pictures")


if __name__ == "__main__":
    main()
