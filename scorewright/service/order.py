"""What a scorer is told to do when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorewright.service import log


@dataclass(frozen=True)
class Order:
    """What to load, and how to run it; times are in seconds, None for no limit.

    Without an `entry_script` the module `main` is the script; without a `model_dir` AZUREML_MODEL_DIR is not set.
    `manifest` is the bundle's, as JSON. With a `sample`, the start has failed unless run() answers it as `expected`,
    also JSON. `collect` is a Collecting.
    """

    entry_script: str | None
    model_dir: str | None
    log_level: str
    log_format: log.Form
    worker_silence: float | None
    max_body_bytes: int
    manifest: str | None = None
    debug_port: int | None = None
    max_rows: int | None = None
    max_json_depth: int = 64
    sample: str | None = None
    expected: str | None = None
    collect: dict[str, Any] | None = None
    app_insights_key: str | None = field(default=None, repr=False)
    service_name: str = ""
