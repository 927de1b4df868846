"""A batch job's settings: Azure's names and defaults, and words for what cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scorewright.errors import UsageError
from scorewright.service.batch.settings import BatchSettings


def test_the_defaults_are_azures() -> None:
    assert BatchSettings().model_dump() == {
        "input_kind": None,
        "mini_batch_size": None,
        "partition_keys": (),
        "output_action": "append_row",
        "output_format": None,
        "output_file_name": None,
        "error_threshold": -1,
        "max_retries": 3,
        "timeout": 30,
        "max_concurrency": 1,
        "logging_level": "info",
    }


@pytest.mark.parametrize(
    ("given", "items", "size"), [(5, 5, None), ("5", 5, None), ("8MB", "8MB", 8 << 20), ("500 kb", "500 kb", 512000)]
)
def test_a_mini_batch_is_a_number_or_a_size(given: object, items: object, size: int | None) -> None:
    settings = BatchSettings.of(mini_batch_size=given)
    assert (settings.mini_batch_size, settings.size_bytes) == (items, size)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mini_batch_size": "many"}, "mini_batch_size is 'many': it must be a number of files or rows, or a size"),
        ({"mini_batch_size": 0}, "mini_batch_size is 0: "),
        ({"mini_batch_size": "0MB"}, "mini_batch_size is '0MB': it must be"),
        ({"mini_batch_size": "1MB", "input_kind": "files"}, "mini_batch_size is a size, and input_kind files"),
        ({"mini_batch_size": 3, "partition_keys": ["a"]}, "partition_keys and mini_batch_size are both given"),
        ({"error_threshold": -2}, "error_threshold is -2: input should be greater than or equal to -1"),
        ({"timeout": 0}, "timeout is 0: "),
        ({"output_action": "append"}, "output_action is 'append': input should be 'append_row' or 'summary_only'"),
        ({"output_file_name": "../up.csv"}, "output_file_name is '../up.csv': it must be a file's name"),
        ({"output_file_name": "_scorewright"}, "output_file_name is '_scorewright': it must be a file's name"),
        ({"minibatch_size": 3}, "minibatch_size is no setting of a batch job; there are input_kind, mini_batch_size,"),
    ],
)
def test_what_cannot_be_meant_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        BatchSettings.of(**given)
    assert caught.value.message.startswith(words), caught.value.message


FLAGS = {"partition_keys": "--partition-key"}


def table() -> list[str]:
    """The settings as docs/batch.md lists them."""
    rows = ["| Flag, and name in a job | Default | |", "|---|---|---|"]
    for name, field in BatchSettings.model_fields.items():
        flag = FLAGS.get(name, f"--{name.replace('_', '-')}")
        also = f" `{name}`" if name == "partition_keys" else ""
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        rows.append(f"| `{flag}`{also} | {default} | {field.description} |")
    return rows


def test_the_docs_list_them_all() -> None:
    page = (Path(__file__).parents[3] / "docs" / "batch.md").read_text()
    assert "\n".join(table()) in page
    reference = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    for line in table()[2:]:
        assert line.split("`")[1] in reference, line
