"""A mini-batch: what one run() is given, as it is planned and as it is sent to a worker."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from scorewright.service.batch.cut import Slice
from scorewright.service.batch.location import InputFile


@dataclass(frozen=True)
class MiniBatch:
    """Files, rows cut from one file, or the rows that share the values of the partition keys.

    `items` is how many files or rows that are; `key` the keys' values, by name.
    """

    number: int
    items: int
    files: tuple[InputFile, ...] = ()
    rows: Slice | None = None
    partition: str | None = None
    """The URL of a parquet file with these rows and, besides, where each came from."""
    key: dict[str, Any] | None = None
    broken: str = ""
    """Why the file cannot be cut into rows: there is nothing to be scored, and one item has failed."""

    @property
    def title(self) -> str:
        """What it is of, in a few words."""
        if self.rows is not None:
            last = self.rows.first_row + self.rows.rows - 1
            return f"{self.rows.file.relative} rows {self.rows.first_row} to {last}"
        if self.key is not None:
            return ", ".join(f"{name}={value}" for name, value in self.key.items())
        first = self.files[0].relative
        return first if len(self.files) == 1 else f"{first} and {len(self.files) - 1} more"

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """The mini-batch that `to_dict()` told."""
        rows = told["rows"]
        return cls(
            told["number"],
            told["items"],
            tuple(InputFile(**file) for file in told["files"]),
            None if rows is None else Slice(**{**rows, "file": InputFile(**rows["file"])}),
            told["partition"],
            told["key"],
            told["broken"],
        )
