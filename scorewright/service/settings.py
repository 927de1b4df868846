"""What the service can be told, read once from flags and environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from scorewright.errors import UsageError
from scorewright.service import config_file, cpu

ENV_PREFIX = "SCOREWRIGHT_"

BATCH_REQUESTS = 128

CORES_A_FRONT = 4
"""From twice as many on there is more than one front: with two cores a second one costs (docs/benchmarks.md)."""

_KEYS = ("primary_key", "secondary_key")
_SECRET = ("app_insights_key", *_KEYS)
_TOLD_ELSEWHERE = {
    *("HOSTNAME", "WORKER_PRELOAD"),
}
"""What Azure's server reads and this one has no use for: it is no mistake to have it in a file."""


_LEVELS = {"WARN": "WARNING", "FATAL": "CRITICAL", "NOTSET": "DEBUG"}


def _level(value: object) -> object:
    """A level as logging knows it: by name, by another name, or by number."""
    word = str(value).upper()
    if word.isdigit():
        return next(
            (
                name
                for least, name in ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))
                if int(word) >= least
            ),
            "DEBUG",
        )
    return _LEVELS.get(word, word)


class Settings(BaseSettings):
    """The service's settings. A flag wins over the environment, the environment over the default.

    Names that Azure's inference server reads are read under its names (azureml-inference-server-http 1.5.1,
    server/config.py and constants.py), the rest under SCOREWRIGHT_*.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_ignore_empty=True, populate_by_name=True
    )

    bundle: Annotated[Path | None, Field(description="The bundle to serve.")] = None
    entry_script: Annotated[
        str | None,
        Field(
            validation_alias="AZUREML_ENTRY_SCRIPT",
            description="A hand-written score.py to serve; in the environment relative to AML_APP_ROOT.",
        ),
    ] = None
    config_file: Annotated[
        Path | None,
        Field(
            validation_alias="AZUREML_CONFIG_FILE",
            description="A JSON file of these settings by variable; unless set, config.json beside a script.",
        ),
    ] = None
    app_root: Annotated[
        Path | None,
        Field(
            validation_alias="AML_APP_ROOT",
            description="Where an entry script's own modules and files are; the working directory, unless set.",
        ),
    ] = None
    source_directory: Annotated[
        str | None,
        Field(validation_alias="AZUREML_SOURCE_DIRECTORY", description="A folder in it whose modules can be imported."),
    ] = None
    model_dir: Annotated[
        str | None,
        Field(
            validation_alias="AZUREML_MODEL_DIR",
            description="Where the model is, if it is kept apart from the bundle; what a script finds under this name.",
        ),
    ] = None
    host: Annotated[
        str | None,
        Field(
            min_length=1, description="The address to listen on; 127.0.0.1 with a bundle, 0.0.0.0 with an entry script."
        ),
    ] = None
    port: Annotated[int, Field(ge=0, le=65535, description="The port to listen on; 0 takes a free one.")] = 5001
    separate_health_port: Annotated[
        bool,
        Field(
            validation_alias="SEPERATE_HEALTH_ENDPOINT", description="Whether to listen on a second port for probes."
        ),
    ] = False
    health_port: Annotated[
        int, Field(ge=0, le=65535, validation_alias="HEALTH_PORT", description="That second port.")
    ] = 5000
    primary_key: Annotated[
        SecretStr | None,
        Field(description="A key that requests may carry: Authorization: Bearer KEY. 16 characters at least."),
    ] = None
    secondary_key: Annotated[
        SecretStr | None, Field(description="Another, so that clients can change from one to the other.")
    ] = None
    keys_path: Annotated[
        Path | None,
        Field(
            description="A file of keys, one a line, or a folder of such files; what changes in it counts within 3 s."
        ),
    ] = None
    token_issuer: Annotated[
        str | None,
        Field(
            description="The OpenID Connect issuer whose tokens requests may carry: https://login.microsoftonline.com/"
            "TENANT/v2.0 for Microsoft Entra."
        ),
    ] = None
    token_audience: Annotated[
        str | None, Field(description="Whom these tokens must be for, as their claim aud has it; several by commas.")
    ] = None
    token_permissions: Annotated[
        str | None, Field(description="Roles or scopes, separated by commas, of which a token must have one.")
    ] = None
    token_clients: Annotated[
        str | None, Field(description="Ids of applications, separated by commas, one of which must have got the token.")
    ] = None
    tls_cert: Annotated[
        Path | None,
        Field(description="The certificate for HTTPS, with its chain, in PEM; taken anew when it changes."),
    ] = None
    tls_key: Annotated[Path | None, Field(description="Its key, in PEM, not encrypted.")] = None
    worker_count: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            validation_alias="WORKER_COUNT",
            description="Scorer processes; each loads the model and scores one batch at a time.",
        ),
    ] = 1
    scoring_timeout_ms: Annotated[
        int,
        Field(
            ge=0,
            le=10**12,
            validation_alias="SCORING_TIMEOUT_MS",
            description="Milliseconds from a request's arrival until run() is interrupted and it is answered 500; "
            "0 for no limit.",
        ),
    ] = 3_600_000
    worker_timeout: Annotated[
        int,
        Field(
            ge=0,
            le=2_000_000,
            validation_alias="WORKER_TIMEOUT",
            description="Seconds in which a scorer at work must answer something, else it is replaced; 0 for no limit.",
        ),
    ] = 300
    max_requests: Annotated[
        int,
        Field(
            ge=0,
            le=10**12,
            description="Requests that a scorer answers before a fresh one takes its place; 0 for any number.",
        ),
    ] = 0
    max_requests_jitter: Annotated[
        int,
        Field(ge=0, le=10**12, description="Up to how many more, by chance: so that not all scorers change at once."),
    ] = 0
    max_scorer_bytes: Annotated[
        int,
        Field(
            ge=0,
            le=10**15,
            description="Bytes of memory above which a fresh scorer takes a scorer's place; 0 for no limit.",
        ),
    ] = 0
    http_workers: Annotated[
        int | None,
        Field(
            ge=1,
            le=64,
            description="Front processes, which speak HTTP; unless set, 1 for fewer than 8 cores, then one for each 4.",
        ),
    ] = None
    max_concurrent_requests_per_instance: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="Requests that may be waiting or being scored at once; one more is answered 429.",
        ),
    ] = 1000
    max_queue_bytes: Annotated[
        int,
        Field(ge=1, le=10**12, description="Bytes that their bodies may have; what has no room is answered 429."),
    ] = 256 * 1024 * 1024
    max_queue_wait_ms: Annotated[
        int,
        Field(
            ge=0,
            le=10**12,
            description="Milliseconds that a request may wait for a scorer before it is answered 503; 0 for no limit.",
        ),
    ] = 0
    max_batch_requests: Annotated[
        int | None,
        Field(
            ge=1,
            le=10_000,
            description="Requests that one run_many() is given at most; 1 switches batches off. Unless set, 128, "
            "or as many as may be waiting.",
        ),
    ] = None
    max_batch_rows: Annotated[
        int,
        Field(
            ge=1,
            le=10**9,
            description="Rows that the requests of one run_many() have at most, as far as the signature tells; "
            "a request that has more goes by itself.",
        ),
    ] = 1024
    max_body_bytes: Annotated[
        int,
        Field(
            ge=1,
            le=2_000_000_000,
            description="Bytes a request's body may have, also once decompressed; a larger one is answered 413.",
        ),
    ] = 100 * 1024 * 1024
    max_rows: Annotated[
        int | None,
        Field(ge=1, le=10**9, description="Rows that a request to a bundle may have; one with more is answered 413."),
    ] = None
    max_json_depth: Annotated[
        int,
        Field(
            ge=4,
            le=1000,
            description="Lists and objects that may be in each other in a request to a bundle; deeper is answered 400.",
        ),
    ] = 64
    max_header_bytes: Annotated[
        int,
        Field(
            ge=1024,
            le=16 * 1024 * 1024,
            description="Bytes that a request's line and headers may have; longer is answered 431.",
        ),
    ] = 64 * 1024
    max_headers: Annotated[
        int, Field(ge=1, le=10_000, description="Headers a request may have; one with more is answered 431.")
    ] = 100
    header_timeout: Annotated[
        int,
        Field(
            ge=0,
            le=86_400,
            description="Seconds in which a request's headers must have come, else it is answered 408; 0 for no limit.",
        ),
    ] = 30
    body_timeout: Annotated[
        int,
        Field(
            ge=0,
            le=86_400,
            description="Seconds that a request's body has to come, and one more for each min_body_rate bytes of it "
            "that have, else it is answered 408; 0 for no limit.",
        ),
    ] = 30
    min_body_rate: Annotated[
        int, Field(ge=1, le=10**9, description="Bytes of a body that give it a second more to come.")
    ] = 1024
    keep_alive_timeout: Annotated[
        int,
        Field(
            ge=0,
            le=86_400,
            description="Seconds that an idle connection is kept, longer than common proxies keep theirs; "
            "0 for no limit.",
        ),
    ] = 75
    send_timeout: Annotated[
        int,
        Field(
            ge=0,
            le=86_400,
            description="Seconds for which a client may take nothing of its answer until the connection is cut; "
            "0 for no limit.",
        ),
    ] = 60
    drain_timeout: Annotated[
        int,
        Field(
            ge=0,
            le=86_400,
            description="Seconds after SIGTERM in which what has been accepted is to be answered; the rest is then "
            "answered 503. Keep it below what Docker or Kubernetes waits until it kills; 0 for no limit.",
        ),
    ] = 25
    max_connections: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="Connections at once, as far as there are file descriptors; one more is answered 503.",
        ),
    ] = 4096
    batch_data: Annotated[
        Path,
        Field(
            description="The data folder of batch jobs: relative inputs and outputs are relative to it, and it holds "
            "their database."
        ),
    ] = Path("scorewright-data")
    batch_roots: Annotated[
        str,
        Field(
            description="Further folders and abfs:// prefixes that batch jobs may read and write, separated by commas."
        ),
    ] = ""
    batch_max_jobs: Annotated[int, Field(ge=1, le=64, description="Batch jobs that run at once.")] = 1
    batch_max_queued: Annotated[
        int, Field(ge=0, le=100_000, description="Batch jobs that may wait; one more is answered 429.")
    ] = 100
    batch_entry_script: Annotated[
        str | None,
        Field(
            description="A hand-written batch driver for jobs, relative to AML_APP_ROOT; a bundle brings its own.",
        ),
    ] = None
    allow_version_skew: Annotated[
        bool,
        Field(description="Start although library versions differ from those that made the model."),
    ] = False
    access_log: Annotated[bool, Field(description="Log a line for each request that is scored.")] = False
    cors_origins: Annotated[
        str | None,
        Field(
            validation_alias="AML_CORS_ORIGINS",
            description="Origins whose pages may use the service, separated by commas; * for all.",
            json_schema_extra={"flag": "access_control_allow_origins"},
        ),
    ] = None
    service_name: Annotated[
        str, Field(validation_alias="SERVICE_NAME", description="The name in swagger.json, of an entry script.")
    ] = "ML service"
    service_version: Annotated[
        str, Field(validation_alias="SERVICE_VERSION", description="The version in swagger.json, of an entry script.")
    ] = "1.0"
    service_path_prefix: Annotated[
        str, Field(validation_alias="SERVICE_PATH_PREFIX", description="What is before the paths in swagger.json.")
    ] = ""
    app_insights_enabled: Annotated[
        bool,
        Field(
            validation_alias="AML_APP_INSIGHTS_ENABLED",
            description="Whether requests, prints and failures are sent to Application Insights.",
        ),
    ] = False
    app_insights_key: Annotated[
        SecretStr | None,
        Field(
            validation_alias="AML_APP_INSIGHTS_KEY",
            description="Where to: an instrumentation key, or a connection string. A secret.",
            json_schema_extra={"flag": "appinsights_instrumentation_key"},
        ),
    ] = None
    app_insights_log_response: Annotated[
        bool,
        Field(
            validation_alias="APP_INSIGHTS_LOG_RESPONSE_ENABLED",
            description="Whether what is sent there holds the answers.",
        ),
    ] = True
    model_dc_storage_enabled: Annotated[
        bool,
        Field(
            validation_alias="AML_MODEL_DC_STORAGE_ENABLED",
            description="Whether inputs and predictions are sent there, too.",
        ),
    ] = False
    workspace_name: Annotated[
        str, Field(validation_alias="WORKSPACE_NAME", description="The workspace that is named there.")
    ] = ""
    debug_port: Annotated[
        int | None,
        Field(
            ge=1,
            le=65535,
            validation_alias="AZUREML_DEBUG_PORT",
            description="Where a debugger waits for each scorer to connect (debugpy must be installed).",
        ),
    ] = None
    log_level: Annotated[
        Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"],
        BeforeValidator(_level),
        Field(validation_alias="AZUREML_LOG_LEVEL", description="The least level that is logged."),
    ] = "INFO"
    collect_dir: Annotated[
        Path | None,
        Field(description="A folder in which requests and answers are collected, as Azure's data collector does."),
    ] = None
    collect_sampling: Annotated[
        float, Field(ge=0, le=1, description="The share of the requests that are collected: 0.1 is every tenth.")
    ] = 1.0
    collect_redact: Annotated[
        str,
        Field(description="What is not to be kept: names of features, keys, or paths with dots, separated by commas."),
    ] = ""
    collect_max_bytes: Annotated[
        int,
        Field(ge=1024 * 1024, le=10**15, description="Bytes that this folder may have; the oldest files are removed."),
    ] = 1024 * 1024 * 1024
    log_format: Annotated[
        Literal["text", "json"],
        Field(description="What a line of the log is: text, or a JSON object."),
    ] = "text"
    server_version_header: Annotated[
        bool,
        Field(
            validation_alias="SERVER_VERSION_LOG_RESPONSE_ENABLED",
            description="Whether answers carry x-ms-server-version.",
        ),
    ] = True

    @property
    def batch_requests(self) -> int:
        """Requests that one run_many() is given at most."""
        return self.max_batch_requests or min(BATCH_REQUESTS, self.max_concurrent_requests_per_instance)

    @property
    def app_insights_asked(self) -> bool:
        """Whether Application Insights is to be sent something, and where to is known."""
        return self.app_insights_enabled and self.app_insights_key is not None

    @property
    def fronts(self) -> int:
        """Front processes."""
        most = self.max_concurrent_requests_per_instance
        return self.http_workers or min(most, max(1, cpu.available() // CORES_A_FRONT))

    @property
    def guarded(self) -> bool:
        """Whether a request must carry a key or a token."""
        return any((self.primary_key, self.secondary_key, self.keys_path, self.token_issuer))

    def without_keys(self) -> Self:
        """The same without the keys in clear: for all but what makes hashes of them."""
        return self.model_copy(update=dict.fromkeys(_KEYS))

    def told(self) -> dict[str, Any]:
        """All but the keys, as JSON carries it, secrets in clear: for the service's own processes, by their sockets."""
        key = self.app_insights_key
        shown = {"app_insights_key": None if key is None else key.get_secret_value()}
        return self.model_dump(mode="json", exclude={*_KEYS}) | shown

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("one of tls_cert and tls_key is given: HTTPS needs both")
        if (self.token_issuer is None) != (self.token_audience is None):
            raise ValueError("one of token_issuer and token_audience is given: tokens are checked by both")
        if self.token_issuer is None and (self.token_permissions or self.token_clients):
            raise ValueError("token_permissions and token_clients say nothing without token_issuer")
        batch, most = self.max_batch_requests, self.max_concurrent_requests_per_instance
        if batch is not None and batch > most:
            raise ValueError(
                f"max_batch_requests is {batch} and max_concurrent_requests_per_instance {most}: "
                "a batch cannot have more requests than there may be"
            )
        if self.http_workers is not None and self.http_workers > most:
            raise ValueError(
                f"http_workers is {self.http_workers} and max_concurrent_requests_per_instance {most}: "
                "a front without a request of its own has nothing to do"
            )
        if self.max_body_bytes > self.max_queue_bytes:
            raise ValueError(
                f"max_body_bytes is {self.max_body_bytes} and max_queue_bytes {self.max_queue_bytes}: "
                "there would never be room for the largest body"
            )
        return self


@dataclass(frozen=True)
class Read:
    """The settings, and the keys of the configuration file that are none."""

    settings: Settings
    unknown: tuple[str, ...] = ()


def read(**flags: Any) -> Read:
    """The settings from the flags that are not None, the environment, and the configuration file.

    Raises UsageError naming each bad setting, its value and what is allowed, or what is wrong with the file.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if "bundle" in given and "entry_script" in given:
        raise UsageError("Both a bundle and an entry script are given.", hint="Serve one of them.")
    if "entry_script" in given:
        given["bundle"] = None
    if "app_insights_key" in given:
        given["app_insights_enabled"] = True
    file = config_file.find(given)
    values, unknown = ({}, ()) if file is None else _of_file(file, given)
    try:
        return Read(Settings(**given, **values), unknown)
    except ValidationError as error:
        raise UsageError(_explain(error)) from error


def _of_file(file: Path, given: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a configuration file says of settings that neither a flag nor the environment sets, and its other keys."""
    settings = {env_name(setting): setting for setting in Settings.model_fields}
    content = config_file.load(file)
    unset = [name for name in settings if settings[name] not in given and not os.environ.get(name)]
    values = {
        name if Settings.model_fields[settings[name]].validation_alias else settings[name]: content[name]
        for name in unset
        if content.get(name) is not None
    }
    return values, tuple(key for key in content if key not in settings and key not in _TOLD_ELSEWHERE)


def forget_secrets() -> None:
    """Take the secrets out of this process's environment, which every process that it starts would inherit."""
    for setting in _SECRET:
        os.environ.pop(env_name(setting), None)


def env_name(setting: str) -> str:
    """The environment variable that a setting is read from."""
    alias = Settings.model_fields[setting].validation_alias
    return alias if isinstance(alias, str) else f"{ENV_PREFIX}{setting.upper()}"


def flag_name(setting: str) -> str:
    """The flag of `scorewright serve` that sets it."""
    extra = Settings.model_fields[setting].json_schema_extra
    flag = extra["flag"] if isinstance(extra, dict) else setting
    return f"--{str(flag).replace('_', '-')}"


def _explain(error: ValidationError) -> str:
    settings = {env_name(setting): setting for setting in Settings.model_fields}
    faults = []
    for fault in error.errors():
        if not fault["loc"]:
            faults.append(fault["msg"].removeprefix("Value error, "))
            continue
        place = str(fault["loc"][0])
        setting = settings.get(place, place)
        value = "…" if setting in _SECRET else repr(fault["input"])
        faults.append(
            f"{setting} is {value}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
            f" (flag {flag_name(setting)}, environment variable {env_name(setting)})"
        )
    return "; ".join(faults) + "."
