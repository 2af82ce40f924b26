"""Rows of a Parquet file. It needs the `parquet` extra: pyarrow, which is loaded when used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any, BinaryIO, Final, TypeVar

from perfectpay_async.bulk.rows import InputRefused, Row
from perfectpay_async.errors import ConfigurationError

from .card_numbers import card_number_refused, holds_card_number, text_holds_card_number
from .columns import ColumnProblem, Columns, Layout, normalised

_BATCH: Final = 4_096
"""So many rows are in memory at once."""
_BUFFER: Final = 1 << 20
"""Bytes that are read ahead of each column, instead of all of it."""

# pyarrow's own errors are of these kinds, and a damaged file can raise any of them.
_DAMAGE: Final = (
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    MemoryError,
    TypeError,
)

_Result = TypeVar("_Result")


def require_pyarrow() -> Any:
    """Return the part of pyarrow that reads Parquet.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        return import_module("pyarrow.parquet")
    except ImportError:
        pass
    raise ConfigurationError(
        'reading Parquet needs pyarrow; install it with: pip install "perfectpay-async[parquet]"'
    )


class ParquetRows:
    """Iterates over the rows of one Parquet file, numbered from 1.

    Args:
        stream: The file; it must be seekable.
        columns: The columns to look for.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """

    def __init__(self, stream: BinaryIO, columns: Columns) -> None:
        self._stream = stream
        self._columns = columns
        self._parquet = require_pyarrow()
        self._types: Any = import_module("pyarrow.types")

    def __iter__(self) -> Iterator[Row]:
        file = _readable(self._open, 0)
        names = [normalised(name) for name in file.schema_arrow.names]
        for at, name in enumerate(names):
            if text_holds_card_number(name):
                del file, names, name  # this frame is about to enter a traceback
                raise card_number_refused("the names of the columns", at, "")
        layout = self._layout(names)
        batches = file.iter_batches(batch_size=_BATCH)
        number = 0
        while (batch := _readable(partial(next, batches, None), number)) is not None:
            columns = _readable(partial(self._columns_of, batch), number)
            del batch
            for cells in zip(*columns, strict=True):
                number += 1
                column = next(
                    (at for at, cell in enumerate(cells) if holds_card_number(cell)), None
                )
                if column is not None:
                    del cells, columns  # this frame is about to enter a traceback
                    raise card_number_refused(f"row {number}", column, names[column])
                yield layout.row(number, cells)

    def _open(self) -> Any:
        # Without pre_buffer and with a buffer size, a column is not read as a whole.
        return self._parquet.ParquetFile(self._stream, buffer_size=_BUFFER, pre_buffer=False)

    def _layout(self, names: list[str]) -> Layout:
        try:
            return self._columns.find(names)
        except ColumnProblem as problem:
            raise InputRefused(
                f"the file {problem}; it must have the columns {', '.join(self._columns.wanted)}"
            ) from None

    def _columns_of(self, batch: Any) -> list[list[Any]]:
        return [self._values(column) for column in batch.columns]

    def _values(self, column: Any) -> list[Any]:
        kind = column.type
        if self._types.is_temporal(kind):
            # Not an id, month or year, and no card number; some have no form in Python.
            return [None] * len(column)
        values: list[Any] = column.to_pylist()
        if self._types.is_floating(kind):
            # Whole numbers are written as floats where some are missing.
            return [int(v) if v is not None and v.is_integer() else v for v in values]
        return [value.strip() if isinstance(value, str) else value for value in values]


def _readable(read: Callable[[], _Result], number: int) -> _Result:
    """Return what `read` returns.

    Raises:
        InputRefused: It cannot be read. What pyarrow said about it may quote values.
    """
    with suppress(*_DAMAGE):
        return read()
    raise InputRefused(
        "this is not a complete Parquet file: it is damaged or cut off, "
        f"somewhere after row {number}"
    )
