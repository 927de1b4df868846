"""Rows as DataFrames: for scripts that take tabular mini-batches, and of partitions."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pandas as pd

    from scorewright.service.batch.location import Location

FILE, ROW = "_scorewright_file", "_scorewright_row"
"""The columns in which a partition's rows tell where they came from."""


def read(source: BinaryIO, suffix: str) -> pd.DataFrame:
    """The rows of a file as pandas reads them. Raises ValueError for a file that is no table."""
    import numpy as np
    import pandas as pd

    if suffix == ".csv":
        # Else the first field of a row that is longer than the header would be taken for its name.
        return pd.read_csv(source, index_col=False)
    if suffix == ".parquet":
        return pd.read_parquet(source)
    if suffix in (".jsonl", ".ndjson"):
        return pd.read_json(source, lines=True)
    if suffix == ".npy":
        array = np.load(source, allow_pickle=False)
        return pd.DataFrame(array.reshape(len(array), -1))
    if suffix == ".txt":
        return pd.DataFrame({"text": source.read().decode().splitlines()})
    raise ValueError(f"{suffix} is not the suffix of a table; there are .csv, .parquet, .jsonl, .ndjson, .npy and .txt")


def partition(location: Location) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A partition's rows, and where each came from: its file and its row there."""
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(location.read()))
    places = frame[[FILE, ROW]]
    return frame.drop(columns=[FILE, ROW]), places


def placed(result: Any, places: pd.DataFrame) -> Any:
    """A generated script's answers to a partition's rows, with the rows' own file and number."""
    result = result.copy()
    result["file"], result["row"] = places[FILE].to_numpy(), places[ROW].to_numpy()
    return result
