"""Parquet files with photos as bytes, in plain columns or as stored by Hugging Face's datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from gatefill.batches.items import Ref
from gatefill.batches.places import open_place
from gatefill.errors import DataError
from gatefill.extras import need

PHOTO_COLUMNS = ("image", "photo", "img", "picture", "jpg", "jpeg", "png", "bytes", "content")
NAME_COLUMNS = ("__key__", "key", "path", "file_name", "filename", "name", "id")


def rows_of(
    place: str, photo_column: str | None, mask_column: str | None
) -> tuple[str, Iterator[tuple[str, Ref, Ref | None]]]:
    """Return the column of the photos, and for each row its name, photo and mask.

    Only names are read. Raises DataError if the file is not Parquet or has no such columns.
    """
    parquet = need("pyarrow.parquet", "batch", "reading Parquet")
    try:
        with open_place(place) as file:
            table = parquet.ParquetFile(file)
            schema, groups = table.schema_arrow, table.metadata.num_row_groups
            mask = _mask_column(schema, mask_column, place)
            photo = _photo_column(schema, photo_column, mask, place)
            named = next((name for name in NAME_COLUMNS if _is_text(schema, name)), None)
            rows: list[tuple[int, int, str]] = []
            for group in range(groups):
                count = table.metadata.row_group(group).num_rows
                names: Sequence[Any] = [None] * count
                if named is not None:
                    names = table.read_row_group(group, columns=[named]).column(0).to_pylist()
                start = len(rows)
                rows += [
                    (group, row, str(name if name not in (None, "") else f"{start + row:09d}"))
                    for row, name in enumerate(names)
                ]
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        if isinstance(error, (FileNotFoundError, DataError)):
            raise
        text = f"{place} is not a whole Parquet file: {error}"
        raise DataError(text, code="data.parquet") from error

    def refs() -> Iterator[tuple[str, Ref, Ref | None]]:
        for group, row, name in rows:
            cell = None if mask is None else Ref(place, cell=(group, row, mask))
            yield name, Ref(place, cell=(group, row, photo)), cell

    return photo, refs()


def _photo_column(schema: Any, given: str | None, mask: str | None, place: str) -> str:
    bytes_: list[str] = [
        field.name for field in schema if _holds_bytes(field.type) and field.name != mask
    ]
    if given is not None:
        if given not in bytes_:
            raise DataError(
                f"expected a column {given!r} with bytes in {place}, "
                f"got {', '.join(bytes_) or 'none with bytes'}",
                code="data.column",
            )
        return given
    for name in PHOTO_COLUMNS:
        if name in bytes_:
            return name
    others = [name for name in bytes_ if "mask" not in name.lower()]
    if len(others) != 1:
        raise DataError(
            f"expected one column with photos in {place}, got {', '.join(others) or 'none'}",
            code="data.column",
        )
    return others[0]


def _mask_column(schema: Any, given: str | None, place: str) -> str | None:
    found = [field.name for field in schema if _holds_bytes(field.type)]
    if given is not None and given not in found:
        raise DataError(
            f"expected a column {given!r} with masks in {place}, "
            f"got {', '.join(found) or 'none with bytes'}",
            code="data.column",
        )
    return given if given is not None else "mask" if "mask" in found else None


def _holds_bytes(kind: Any) -> bool:
    types = need("pyarrow.types", "batch", "reading Parquet")
    if types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_bytes(kind.field(place).type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_text(schema: Any, name: str) -> bool:
    types = need("pyarrow.types", "batch", "reading Parquet")
    place = schema.get_field_index(name)
    if place < 0:
        return False
    kind = schema.field(place).type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind))


ROWS = 100  # rows per row group, if there is no source file to mirror


def write_parquet(
    file: BinaryIO,
    source: str | None,
    column: str,
    count: int,
    photo: Callable[[int], tuple[str, bytes | None]],
) -> None:
    """Write a Parquet file like `source`, or of names and photos, with new photos in `column`.

    photo: Returns name and bytes of each of the `count` photos; None if it could not be filled.
    """
    arrow = need("pyarrow", "batch", "writing Parquet")
    parquet = need("pyarrow.parquet", "batch", "writing Parquet")
    if source is None:
        schema = arrow.schema([("path", arrow.string()), (column, arrow.binary())])
        with parquet.ParquetWriter(file, schema) as writer:
            for start in range(0, count, ROWS):
                rows = [photo(index) for index in range(start, min(start + ROWS, count))]
                names, photos = zip(*rows, strict=True)
                writer.write_table(arrow.table([names, photos], schema=schema))
        return
    with open_place(source) as opened:
        old, start = parquet.ParquetFile(opened), 0
        with parquet.ParquetWriter(file, old.schema_arrow) as writer:
            for group in range(old.metadata.num_row_groups):
                table = old.read_row_group(group)
                place = table.schema.get_field_index(column)
                kind = table.schema.field(place).type
                values: list[Any] = [photo(start + row)[1] for row in range(len(table))]
                start += len(table)
                if arrow.types.is_struct(kind):
                    values = [
                        None if data is None else {**(cell or {}), "bytes": data}
                        for cell, data in zip(table.column(place).to_pylist(), values, strict=True)
                    ]
                changed = arrow.chunked_array([arrow.array(values, kind)])
                writer.write_table(table.set_column(place, table.schema.field(place), changed))
