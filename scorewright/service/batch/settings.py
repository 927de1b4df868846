"""What a batch job can be told, under Azure's names and with Azure's defaults."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from scorewright.errors import UsageError

OutputFormat = Literal["parquet", "csv", "azure"]

_SIZE = re.compile(r"(\d+) *(kb|mb|gb)", re.IGNORECASE)
_UNITS = {"kb": 1024, "mb": 1024**2, "gb": 1024**3}

FILE_NAMES: dict[OutputFormat, str] = {
    "parquet": "predictions.parquet",
    "csv": "predictions.csv",
    "azure": "predictions.csv",
}


def _size(value: object) -> object:
    """A number of items as it is, as text, too; a size as text, "8MB"."""
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return value


class BatchSettings(BaseModel):
    """A batch job's settings.

    Names and defaults are those of an Azure ML batch deployment (modelBatchDeployment.schema.json), flattened:
    `max_retries` and `timeout` are its retry_settings, `max_concurrency` its max_concurrency_per_instance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_kind: Annotated[
        Literal["files", "tabular"] | None,
        Field(
            description="What a mini-batch is: a list of paths, or rows of the files. Unless set, rows where a "
            "bundle's script is given files that can be cut, else paths."
        ),
    ] = None
    mini_batch_size: Annotated[
        Annotated[int, Field(ge=1)] | str | None,
        BeforeValidator(_size),
        Field(
            description="Files, or rows, in one run(); of rows also a size such as 8MB. Unless set, 10 files or 8MB."
        ),
    ] = None
    partition_keys: Annotated[
        tuple[str, ...],
        Field(description="Columns (or, of paths, the key of key=value folders) whose values make the mini-batches."),
    ] = ()
    output_action: Annotated[
        Literal["append_row", "summary_only"],
        Field(description="Whether what run() returns is gathered in one file, or only counted."),
    ] = "append_row"
    output_format: Annotated[
        OutputFormat | None,
        Field(
            description="The form of that file: with columns as parquet or csv, or as Azure ML writes it, without a "
            "header and with spaces between values. Unless set, parquet for a bundle and azure for an entry script."
        ),
    ] = None
    output_file_name: Annotated[
        str | None, Field(description="Its name; predictions.parquet or predictions.csv, unless set.")
    ] = None
    error_threshold: Annotated[
        int, Field(ge=-1, description="Items (rows, or files) that may fail before the job does; -1 for all but one.")
    ] = -1
    max_retries: Annotated[
        int,
        Field(ge=0, le=100, description="How often a mini-batch is tried again whose run() failed or took too long."),
    ] = 3
    timeout: Annotated[int, Field(ge=1, le=259_200, description="Seconds that one run() may take.")] = 30
    max_concurrency: Annotated[
        int,
        Field(ge=1, le=256, description="Worker processes, each with the model; with --scheduler, at most so many."),
    ] = 1
    logging_level: Annotated[
        Literal["debug", "info", "warning"],
        BeforeValidator(lambda value: str(value).lower()),
        Field(description="The least level that the workers log."),
    ] = "info"

    @classmethod
    def of(cls, **given: Any) -> Self:
        """The settings from those that are not None. Raises UsageError naming each bad one and what is allowed."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise UsageError(_explain(error)) from None

    @property
    def size_bytes(self) -> int | None:
        """mini_batch_size in bytes, if it is a size."""
        found = _SIZE.fullmatch(self.mini_batch_size.strip()) if isinstance(self.mini_batch_size, str) else None
        return int(found[1]) * _UNITS[found[2].lower()] if found else None

    @field_validator("mini_batch_size")
    @classmethod
    def _countable(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, str) and (not (found := _SIZE.fullmatch(value.strip())) or not int(found[1])):
            raise ValueError("it must be a number of files or rows, or a size such as 500KB or 8MB")
        return value

    @field_validator("output_file_name")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith(("_", ".")) or PurePosixPath(value).name != value or "\\" in value):
            raise ValueError("it must be a file's name, without a folder and not beginning with _ or .")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.input_kind == "files" and self.size_bytes is not None:
            raise ValueError("mini_batch_size is a size, and input_kind files: a mini-batch is a number of files")
        if self.partition_keys and self.mini_batch_size is not None:
            raise ValueError(
                "partition_keys and mini_batch_size are both given: the keys' values make the mini-batches"
            )
        return self


def _explain(error: ValidationError) -> str:
    faults = []
    for fault in error.errors():
        words = fault["msg"].removeprefix("Value error, ")
        name = str(fault["loc"][0]) if fault["loc"] else ""
        if fault["type"] == "extra_forbidden":
            faults.append(f"{name} is no setting of a batch job; there are {', '.join(BatchSettings.model_fields)}")
        elif name:
            faults.append(f"{name} is {fault['input']!r}: {words[0].lower()}{words[1:]}")
        else:
            faults.append(words)
    return "; ".join(dict.fromkeys(faults)) + "."
