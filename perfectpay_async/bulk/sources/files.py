"""Rows of a file of any of the formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import TextIOWrapper
from os import PathLike, fspath
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias

from perfectpay_async.bulk.rows import Row
from perfectpay_async.errors import ConfigurationError

from .columns import Columns
from .csv_source import CsvRows
from .jsonl_source import JsonlRows
from .parquet_source import ParquetRows, require_pyarrow

Format: TypeAlias = Literal["csv", "jsonl", "parquet"]

_FORMATS: Final = ("csv", "jsonl", "parquet")
_SUFFIXES: Final[Mapping[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(name: str | PathLike[str]) -> Format:
    """Return the format that the name of a file says: CSV unless it says another."""
    return _SUFFIXES.get(Path(fspath(name)).suffix.lower(), "csv")


def read_rows(
    source: str | PathLike[str] | BinaryIO,
    *,
    format: Literal["auto"] | Format = "auto",  # noqa: A002 - what everyone calls it
    columns: Mapping[str, str] | None = None,
    expiry_column: str | None = None,
) -> Iterator[Row]:
    """Iterate over the rows of a CSV, JSONL or Parquet file, in bounded memory.

    The columns, or the members of each JSON object, are `payment_method_id`, `exp_month` and
    `exp_year`, in any order and any case. Common other names will do, such as `id`, `month` and
    `year`, and instead of month and year one column `expiry` of the form `MM/YY` or `MM/YYYY`.
    Others are ignored.

    Args:
        source: Path of the file, or a binary stream, which is not closed. Parquet needs one that
            is seekable.
        format: The format. `auto` goes by the name of the file, `.jsonl`, `.ndjson`, `.json`,
            `.parquet` or `.pq`, and takes anything else, and a stream, for CSV.
        columns: Names of columns: `{"payment_method_id": "card_ref", "exp_month": "m"}`.
        expiry_column: Name of the column that holds the whole expiry.

    Returns:
        An iterator over the rows in the order of the file. Their numbers are those of their lines,
        in a Parquet file their positions from 1. Besides `OSError` it raises `InputRefused` where
        the input as a whole cannot be trusted: a column is missing, the file is damaged, a row is
        longer than 65,536 characters, or a cell of any column has a card number in it.

    Raises:
        ConfigurationError: An argument is wrong, or the file is Parquet and pyarrow is missing.
    """
    if format not in ("auto", *_FORMATS):
        raise ConfigurationError(
            f"format must be auto, {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"
        )
    wanted = Columns(dict(columns or {}), expiry_column)
    form = format
    if form == "auto":
        form = format_of(source) if isinstance(source, str | PathLike) else "csv"
    if form == "parquet":
        require_pyarrow()
    return _opened(source, form, wanted)


def _opened(
    source: str | PathLike[str] | BinaryIO, form: Format, columns: Columns
) -> Iterator[Row]:
    if not isinstance(source, str | PathLike):
        yield from _rows(source, form, columns)
        return
    with open(source, "rb") as stream:  # noqa: PTH123 - a path may be a str
        yield from _rows(stream, form, columns)


def _rows(stream: BinaryIO, form: Format, columns: Columns) -> Iterator[Row]:
    if form == "parquet":
        yield from ParquetRows(stream, columns)
        return
    # What is not UTF-8 does no harm in a column that is ignored; in an id it makes a bad row. A
    # JSON text may hold carriage returns between its tokens, and they end no line there.
    newline = "" if form == "csv" else "\n"
    text = TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline=newline)
    try:
        yield from (CsvRows if form == "csv" else JsonlRows)(text, columns)
    finally:
        if not stream.closed:  # by its owner, while this generator waited
            text.detach()  # else it would close the stream
