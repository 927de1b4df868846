"""What run() returned: counted as Azure counts it, and as a piece of the result."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.service.batch.progress import ItemError

if TYPE_CHECKING:
    import pandas as pd

    from scorewright.service.batch.mini_batch import MiniBatch
    from scorewright.service.batch.settings import OutputFormat

ERRORS_A_MINI_BATCH = 1000
"""How many of its errors are kept in words; all are counted."""


class ReturnError(Exception):
    """run() returned what it may not."""


@dataclass(frozen=True)
class Returned:
    """The rows that run() returned, how many of the mini-batch's items failed, and which are known."""

    rows: list[Any] | pd.DataFrame
    failed: int
    errors: tuple[ItemError, ...]


def count(result: Any, batch: MiniBatch, error_column: str | None) -> Returned:
    """Azure's count: an item returned is an item scored, and what is missing has failed.

    A generated script tells for each row whether it failed, by its column `error_column`.
    Raises ReturnError if run() returned None or no list and no DataFrame.
    """
    import numpy as np
    import pandas as pd

    items = f"{batch.items} file{'s' * (batch.items > 1)}" if batch.files else f"{batch.items} rows"
    if result is None:
        raise ReturnError(
            f"run() returned None for {items}; it must return a list or a DataFrame with one item for each that was "
            "scored (an empty list if none was)."
        )
    if not isinstance(result, list | tuple | np.ndarray | pd.Series | pd.DataFrame):
        raise ReturnError(
            f"run() returned {type(result).__name__} for {items}; it must return a list or a DataFrame with one item "
            "for each that was scored."
        )
    rows = result if isinstance(result, pd.DataFrame) else list(result)
    if isinstance(rows, pd.DataFrame) and error_column is not None and error_column in rows.columns:
        return _told(rows, batch, error_column)
    missing = max(0, batch.items - len(rows))
    if not missing:
        return Returned(rows, 0, ())
    words = f"run() returned {len(rows)} items for {items}: {missing} of them have failed."
    return Returned(rows, missing, (ItemError(batch.title, None, words),))


def _told(rows: pd.DataFrame, batch: MiniBatch, error_column: str) -> Returned:
    bad = rows[rows[error_column].notna()]
    # Where the items are files, one with a bad row has failed.
    failed = int(bad["file"].nunique()) if batch.files else len(bad)
    told = bad.head(ERRORS_A_MINI_BATCH)
    places = zip(told["file"].tolist(), told["row"].tolist(), told[error_column].tolist(), strict=True)
    return Returned(rows, failed, tuple(ItemError(str(file), int(row), str(words)) for file, row, words in places))


@dataclass(frozen=True)
class Piece:
    """A mini-batch's part of the result, as bytes in its form.

    `columns` are the names of its columns (None: it has none), `schema` is its Arrow schema in base64.
    """

    content: bytes
    columns: tuple[str, ...] | None = None
    schema: str | None = None


def piece(rows: list[Any] | pd.DataFrame, form: OutputFormat) -> Piece:
    """The rows in the result's form.

    azure    text; a DataFrame's values with spaces between them, an item of a list as str() has it, a line each
    csv      text without a header
    parquet  an Arrow stream, to be written as parquet with its neighbours
    """
    import pandas as pd

    if form == "azure":
        if isinstance(rows, pd.DataFrame):
            return Piece(rows.to_csv(sep=" ", header=False, index=False).encode())
        return Piece("".join(f"{item}\n" for item in rows).encode())
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame({"result": [_plain(item) for item in rows]})
    columns = tuple(str(name) for name in frame.columns)
    if form == "csv":
        return Piece(frame.to_csv(header=False, index=False).encode(), columns)
    import pyarrow as pa

    table = pa.Table.from_pandas(frame.set_axis(list(columns), axis=1), preserve_index=False)
    table = table.replace_schema_metadata()
    content = io.BytesIO()
    with pa.ipc.new_stream(content, table.schema) as stream:
        stream.write_table(table)
    return Piece(content.getvalue(), columns, base64.b64encode(table.schema.serialize()).decode())


def _plain(item: Any) -> Any:
    return item if isinstance(item, str | int | float | bool) else str(item)
