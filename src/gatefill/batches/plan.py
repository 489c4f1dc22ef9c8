"""Plans a batch: finds the photos, their masks and the names of their outputs."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from gatefill.batches import parquet, shards
from gatefill.batches.items import BatchPlan, Container, Item, Problem, Ref, failed
from gatefill.batches.listing import PARQUET, SHARD, Listed, Listing, list_inputs
from gatefill.batches.masks import MaskNames, mask_owner
from gatefill.batches.names import output_name, output_suffix, without_collisions
from gatefill.batches.places import as_place, is_url, safe_name
from gatefill.errors import ConfigError, GatefillError, MaskError
from gatefill.images import OUTPUT_SUFFIXES

Kind = Literal["files", "shards", "parquet"]


@dataclass(frozen=True)
class Request:
    """The inputs, masks and outputs requested for a batch."""

    inputs: tuple[str, ...]
    output: str
    mask: str | None = None  # one mask for all photos
    masks: str | None = None  # a folder of masks
    photo_column: str | None = None
    mask_column: str | None = None
    format: str | None = None  # format of the outputs; None: each its own
    to: Kind | None = None  # None: the kind of the input
    per_shard: int = 1000

    def __post_init__(self) -> None:
        given = [
            name
            for name, value in (
                ("one mask", self.mask),
                ("a folder of masks", self.masks),
                ("a column of masks", self.mask_column),
            )
            if value is not None
        ]
        if len(given) > 1:
            raise ConfigError(
                f"expected masks from one place, got {' and '.join(given)}", code="batch.masks"
            )
        if not self.inputs:
            raise ConfigError(
                "expected photos, a folder or shards, got none", code="batch.no_photos"
            )
        if self.per_shard < 1:
            raise ConfigError(
                f"expected at least 1 photo per shard, got {self.per_shard}",
                code="config.range",
                name="per_shard",
                value=self.per_shard,
                least=1,
            )
        if self.format is not None and output_suffix("", self.format) not in OUTPUT_SUFFIXES:
            known = ", ".join(suffix.removeprefix(".") for suffix in OUTPUT_SUFFIXES)
            raise ConfigError(
                f"expected one of the formats {known}, got {self.format!r}",
                code="output.suffix",
                file=self.format,
            )


def make_plan(request: Request) -> BatchPlan:
    """List the inputs, find each photo's mask, and name the outputs.

    Raises FileNotFoundError and GatefillError if the batch as a whole is invalid; problems with
    single photos are added to the plan.
    """
    _check_places(request)
    listing = list_inputs(request.inputs, request.output)
    plan = BatchPlan(problems=listing.problems, notes=listing.notes)
    named = [*_from_files(request, listing, plan)]
    if request.to in ("shards", "parquet"):
        plan.items += _into_containers(request, named, plan)
        named = []
    for container in listing.containers:
        named += _from_container(request, container, plan)
    items, notes = without_collisions(named)
    plan.items += items
    plan.notes += notes
    _protect_inputs(request, plan)
    if not plan.items and not plan.problems:
        raise ConfigError(
            f"expected photos in {', '.join(request.inputs)}, found none"
            + (f" among {listing.others} files" if listing.others else ""),
            code="batch.no_photos",
        )
    return plan


def _check_places(request: Request) -> None:
    if request.mask is not None and not is_url(request.mask) and not Path(request.mask).exists():
        raise FileNotFoundError(f"no such file: {request.mask}")
    if request.masks is not None and not is_url(request.masks) and not Path(request.masks).is_dir():
        raise MaskError(f"expected a folder of masks, got {request.masks}", code="mask.folder")
    if is_url(request.output):
        return
    output = Path(request.output).resolve()
    for given in map(as_place, request.inputs):
        if is_url(given):
            continue
        place = Path(given).resolve()
        if place.is_dir() and (place == output or place.is_relative_to(output)):
            raise ConfigError(
                f"expected an output folder that does not hold the photos, got {request.output}: "
                "they would be overwritten",
                code="output.inputs",
            )


def _from_files(request: Request, listing: Listing, plan: BatchPlan) -> Iterator[tuple[str, Item]]:
    """Yield the items of photos in files, each with the name its output mirrors."""
    photos, masks = listing.photos, None
    places: dict[str, str] = {}
    if request.masks is not None:
        apart = list_inputs([request.masks], request.output)
        plan.problems += apart.problems
        places = {found.name: found.place for found in apart.photos}
        masks = MaskNames(places)
        photos = _without(photos, places.values())
    elif request.mask is not None:
        photos = _without(photos, [request.mask])
    else:
        places = {found.name: found.place for found in photos}
        names, stems = set(places), {_stem(name) for name in places}
        beside = [
            name
            for name in places
            if (owner := mask_owner(name)) is not None and (owner in names or owner in stems)
        ]
        masks = MaskNames(beside, beside=True)
        drawn = set(beside)
        photos = [found for found in photos if found.name not in drawn]
    for found in photos:
        suffix = output_suffix(found.name, request.format)
        item = Item(found.place, Ref(found.place), None, output_name(found.name, suffix), suffix)
        if found.mask is not None or request.mask is not None:
            place = found.mask or request.mask
            assert place is not None
            yield found.name, replace(item, mask=Ref(as_place(place)))
            continue
        mine = [] if masks is None else masks.of(found.name)
        if request.masks is not None and not mine:
            plan.problems.append(Problem(found.place, "mask.missing", _no_mask(found, request)))
        elif len(mine) < 2:
            yield found.name, replace(item, mask=Ref(places[mine[0]]) if mine else None)
        for each in mine if len(mine) > 1 else []:
            # Several holes of one photo: each is filled separately and named after its mask.
            name = f"{_stem(found.name)}{_after_stem(each, found.name)}"
            yield (
                name + PurePosixPath(found.name).suffix,
                replace(
                    item,
                    name=f"{found.place} ({PurePosixPath(each).name})",
                    mask=Ref(places[each]),
                    output=output_name(name + suffix, suffix),
                ),
            )


def _without(photos: list[Listed], masks: Iterable[str]) -> list[Listed]:
    """Remove the masks that lie among the photos."""
    real = {mask if is_url(mask) else os.path.realpath(mask) for mask in masks}
    return [
        found
        for found in photos
        if (found.place if is_url(found.place) else os.path.realpath(found.place)) not in real
    ]


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _after_stem(mask: str, photo: str) -> str:
    """Return ``_mask001`` for the mask ``sub/a_mask001.png`` of ``sub/a.jpg``."""
    return _stem(mask)[len(_stem(photo)) :].replace(".", "_")


def _no_mask(found: Listed, request: Request) -> str:
    path = PurePosixPath(found.name)
    wanted = f"{path.stem}.png, {path.stem}_mask*.png or {path.name}.mask.png"
    return f"expected its mask below {request.masks} ({wanted}), found none"


def _into_containers(
    request: Request, named: Sequence[tuple[str, Item]], plan: BatchPlan
) -> Iterator[Item]:
    """Distribute photos in files over shards or Parquet files."""
    kind, suffix = ("shards", SHARD) if request.to == "shards" else ("parquet", PARQUET)
    renamed = []
    for _name, item in named:
        output = item.output
        if kind == "shards":  # keys of samples end at the first dot
            path = PurePosixPath(output)
            output = str(path.with_name(path.stem.replace(".", "_") + path.suffix))
        renamed.append((output, replace(item, output=output)))
    items, notes = without_collisions(renamed)
    plan.notes += notes
    for start in range(0, len(items), request.per_shard):
        output = f"{kind}-{start // request.per_shard:05d}{suffix}"
        part = items[start : start + request.per_shard]
        plan.containers.append(Container(output, kind, count=len(part)))  # type: ignore[arg-type]
        for index, item in enumerate(part):
            yield replace(item, container=output, index=index)


def _from_container(
    request: Request, container: Listed, plan: BatchPlan
) -> Iterator[tuple[str, Item]]:
    """Yield the items of the photos in a shard or Parquet file."""
    is_shard = container.place.lower().endswith(SHARD)
    kind: Literal["shards", "parquet"] = "shards" if is_shard else "parquet"
    to = request.to or kind
    if to not in ("files", kind):
        raise ConfigError(
            f"expected to write {kind} or files from {container.place}, got {to}",
            code="batch.target",
        )
    rows = _of_shard(request, container, plan) if is_shard else _of_parquet(request, container)
    count, column = 0, "image"
    try:
        for index, name, photo, mask, column in rows:  # noqa: B007 - the column is needed below
            suffix = output_suffix(name, request.format)
            label = f"{container.place}#{name}"
            output = output_name(safe_name(name), suffix)
            item = Item(label, photo, Ref(request.mask) if request.mask else mask, output, suffix)
            if to == "files":
                folder = _stem(container.name)
                item = replace(item, output=f"{folder}/{output}")
                yield f"{folder}/{safe_name(name)}", item
            else:
                item = replace(item, container=container.name, index=index)
                plan.items.append(item)
            count = index + 1
    except (GatefillError, OSError) as error:
        outcome = failed(_nothing(container), error)
        plan.problems.append(Problem(container.place, outcome.code, outcome.text))
    if to != "files" and count:
        plan.containers.append(Container(container.name, kind, container.place, column, count))


def _nothing(container: Listed) -> Item:
    return Item(container.place, Ref(container.place), None, "", "")


Row = tuple[int, str, Ref, Ref | None, str]  # number, name, photo, mask, column


def _of_shard(request: Request, container: Listed, plan: BatchPlan) -> Iterator[Row]:
    for index, sample in enumerate(shards.samples_of(container.place)):
        photo, mask = sample.photo(), sample.mask(request.mask_column)
        label = f"{container.place}#{sample.key}"
        if photo is None:
            text = f"expected a photo in the sample, got {', '.join(sample.members)}"
            plan.problems.append(Problem(label, "data.sample", text))
            continue
        if request.mask_column is not None and mask is None:
            text = f"expected a member {request.mask_column!r} with the mask, found none"
            plan.problems.append(Problem(label, "mask.missing", text))
            continue
        name = f"{sample.key}.{photo}"
        yield index, name, sample.members[photo], sample.members[mask] if mask else None, ""


def _of_parquet(request: Request, container: Listed) -> Iterator[Row]:
    column, rows = parquet.rows_of(container.place, request.photo_column, request.mask_column)
    for index, (name, photo, mask) in enumerate(rows):
        yield index, name, photo, mask, column


def _protect_inputs(request: Request, plan: BatchPlan) -> None:
    """Drop items whose outputs are inputs, which links and unusual paths can cause."""
    if is_url(request.output):
        return
    root = os.path.realpath(request.output)
    inputs = defaultdict(str)
    for item in plan.items:
        for ref in (item.photo, item.mask):
            if ref is not None and not is_url(ref.place):
                inputs[ref.place] = ref.place
    real = {os.path.realpath(place) for place in inputs}
    if not any(place.startswith(root + os.sep) for place in real):
        return
    kept = []
    for item in plan.items:
        target = item.output if item.container is None else item.container
        if os.path.join(root, target) in real:  # noqa: PTH118 - quick, for many
            text = f"would be written to {target} in {request.output}, where an input is"
            plan.problems.append(Problem(item.name, "output.inputs", text))
        else:
            kept.append(item)
    plan.items = kept
