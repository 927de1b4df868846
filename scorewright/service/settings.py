"""What the service can be told, read once from flags and environment."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic needs it at run time
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from scorewright.errors import UsageError

ENV_PREFIX = "SCOREWRIGHT_"


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class Settings(BaseSettings):
    """The service's settings. A flag wins over the environment, the environment over the default.

    Names that Azure's inference server reads are read under its names (azureml-inference-server-http 1.5.1,
    server/config.py and constants.py), the rest under SCOREWRIGHT_*.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_ignore_empty=True, populate_by_name=True
    )

    bundle: Annotated[Path, Field(description="The bundle to serve.")]
    model_dir: Annotated[
        Path | None,
        Field(
            validation_alias="AZUREML_MODEL_DIR",
            description="Where the model is, if it is kept apart from the bundle.",
        ),
    ] = None
    host: Annotated[str, Field(min_length=1, description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="The port to listen on; 0 takes a free one.")] = 5001
    worker_count: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            validation_alias="WORKER_COUNT",
            description="Scorer processes; each loads the model and scores one batch at a time.",
        ),
    ] = 1
    max_queue: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="Requests that may wait for a scorer; one more is answered 429."),
    ] = 1000
    max_batch_requests: Annotated[
        int,
        Field(ge=1, le=10_000, description="Requests that one run_many() is given at most; 1 switches batches off."),
    ] = 128
    max_body_bytes: Annotated[
        int,
        Field(ge=1, le=2_000_000_000, description="Bytes a request's body may have; a larger one is answered 413."),
    ] = 100 * 1024 * 1024
    allow_version_skew: Annotated[
        bool,
        Field(description="Start although library versions differ from those that made the model."),
    ] = False
    access_log: Annotated[bool, Field(description="Log a line for each request to /score.")] = False
    log_level: Annotated[
        Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"],
        BeforeValidator(_upper),
        Field(validation_alias="AZUREML_LOG_LEVEL", description="The least level that is logged."),
    ] = "INFO"
    server_version_header: Annotated[
        bool,
        Field(
            validation_alias="SERVER_VERSION_LOG_RESPONSE_ENABLED",
            description="Whether answers carry x-ms-server-version.",
        ),
    ] = True


def read(**flags: Any) -> Settings:
    """The settings from the flags that are not None, and the environment.

    Raises UsageError naming each bad setting, its value and what is allowed.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise UsageError(_explain(error)) from error


def env_name(setting: str) -> str:
    """The environment variable that a setting is read from."""
    alias = Settings.model_fields[setting].validation_alias
    return alias if isinstance(alias, str) else f"{ENV_PREFIX}{setting.upper()}"


def flag_name(setting: str) -> str:
    """The flag of `scorewright serve` that sets it."""
    return f"--{setting.replace('_', '-')}"


def _explain(error: ValidationError) -> str:
    settings = {env_name(setting): setting for setting in Settings.model_fields}
    faults = []
    for fault in error.errors():
        place = str(fault["loc"][0])
        setting = settings.get(place, place)
        if fault["type"] == "missing":
            faults.append(f"{setting} is not set")
        else:
            faults.append(f"{setting} is {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}")
        faults[-1] += f" (flag {flag_name(setting)}, environment variable {env_name(setting)})"
    return "; ".join(faults) + "."
