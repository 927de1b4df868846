"""What is asked of a deployment, in the same words for every target."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from scorewright.deploy.image_name import ImageName
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_PORT = 5001
"""The port that the service in the container listens on."""

HIDDEN = "***"
"""What stands in the place of a secret wherever one is shown."""

_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}

_SERVICE_VARIABLES = {
    "request_timeout_ms": "SCORING_TIMEOUT_MS",
    "max_concurrent_requests": "SCOREWRIGHT_MAX_CONCURRENT_REQUESTS_PER_INSTANCE",
    "max_queue_wait_ms": "SCOREWRIGHT_MAX_QUEUE_WAIT_MS",
}

PRIMARY, SECONDARY = "SCOREWRIGHT_PRIMARY_KEY", "SCOREWRIGHT_SECONDARY_KEY"
"""The service's variables for keys, where it cannot be given them as files."""

KEYS_PATH = "SCOREWRIGHT_KEYS_PATH"
"""The service's variable for where they are as files."""

TOKEN_ISSUER = "SCOREWRIGHT_TOKEN_ISSUER"  # noqa: S105  # the name of a variable

OWN_VARIABLES = {
    "SCOREWRIGHT_BUNDLE": "bundle",
    **dict.fromkeys((PRIMARY, SECONDARY, KEYS_PATH), "auth_keys"),
    "SCOREWRIGHT_HOST": "",
    "SCOREWRIGHT_PORT": "",
    **{variable: setting for setting, variable in _SERVICE_VARIABLES.items()},
}
"""Variables that the deployment sets by itself, and the setting that they come from (empty: by no setting)."""


def _bytes(value: object) -> object:
    """An amount of memory as people write it: 512m, 1.5g, 2Gi; a bare number is bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b?)", str(value).strip(), re.IGNORECASE)
    if found is None:
        raise ValueError(f"{value!r} is no amount of memory; write it like 512m or 2g")
    return round(float(found[1]) * _UNITS[found[2].lower()])


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Autoscale(_Part):
    """As many replicas as the load asks for, from `min` to `max`, so that each uses `target` percent of its CPU."""

    min: Annotated[int, Field(ge=1)] = 1
    max: Annotated[int, Field(ge=1)]
    target: Annotated[int, Field(ge=1, le=100)] = 70

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"at least {self.min} replicas and at most {self.max} contradict each other")
        return self


class Probes(_Part):
    """How the target asks the service whether it is well. All in seconds but `failures`."""

    start: Annotated[int, Field(ge=1)] = 300
    """How long the service may take until it is healthy for the first time."""
    period: Annotated[int, Field(ge=1)] = 10
    timeout: Annotated[int, Field(ge=1)] = 5
    failures: Annotated[int, Field(ge=1)] = 3
    """So many bad answers in a row mean that it is not well."""


class DeploySettings(_Part):
    """The settings of a deployment. What is None is left to the target or the service.

    Each target translates them within its limits, and refuses with the limit named.
    """

    name: Annotated[str, Field(min_length=1)]
    image: ImageName
    cpu: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Cores."""
    memory: Annotated[int, Field(ge=2**20), BeforeValidator(_bytes)] | None = None
    """Bytes; written like 512m or 2g."""
    replicas: Annotated[int, Field(ge=1)] | None = None
    autoscale: Autoscale | None = None
    request_timeout_ms: Annotated[int, Field(ge=1)] | None = None
    """Milliseconds from a request's arrival until it must be answered."""
    max_concurrent_requests: Annotated[int, Field(ge=1)] | None = None
    """Requests that one replica takes on at once, waiting and being scored."""
    max_queue_wait_ms: Annotated[int, Field(ge=1)] | None = None
    """Milliseconds that a request may wait before it is scored."""
    probes: Probes = Probes()
    auth: Literal["none", "key"] = "none"
    """Who may ask: everybody, or who knows a key."""
    auth_keys: tuple[str, ...] = ()
    """Which of `secrets` are the keys, the first one being the primary. Empty: the target makes them, if it can."""
    env: dict[str, str] = {}
    """Variables of the service that anyone may read."""
    secrets: dict[str, SecretStr] = {}
    """Variables of the service that no plan, no log and no error may show."""
    tags: dict[str, str] = {}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.replicas is not None and self.autoscale is not None:
            raise ValueError("a number of replicas and autoscale exclude each other")
        for name in (*self.env, *self.secrets):
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r} cannot be an environment variable's name")
            if name in OWN_VARIABLES and name not in self.auth_keys:
                setting = OWN_VARIABLES[name]
                raise ValueError(f"{name} is for the deployment to set" + (f"; use {flag(setting)}" if setting else ""))
        if taken := [name for name in self.tags if name == "scorewright" or name.startswith("io.scorewright.")]:
            raise ValueError(f"the tag {taken[0]} is for the deployment to set: what is ours is known by it")
        if both := sorted({*self.env} & {*self.secrets}):
            raise ValueError(f"{both[0]} is given both as a plain variable and as a secret")
        if unknown := [name for name in self.auth_keys if name not in self.secrets]:
            raise ValueError(f"the key {unknown[0]} is not among the secrets")
        if self.auth_keys and self.auth == "none":
            raise ValueError("keys are given, but auth is none")
        return self

    @classmethod
    def of(cls, image: str, *, name: str | None = None, **given: Any) -> Self:
        """The settings, parsed and checked; the name is the image's unless given, a value of None is left out.

        Raises UsageError that names each bad setting and what is wrong with it.
        """
        parsed = ImageName.parse(image)
        try:
            return cls(
                name=name or parsed.short,
                image=parsed,
                **{key: value for key, value in given.items() if value is not None},
            )
        except ValidationError as error:
            raise UsageError(_explain(error)) from None

    def service_variables(self) -> dict[str, str]:
        """What tells the service of these settings, and `env`. No secrets are among them."""
        told = {name: getattr(self, setting) for setting, name in _SERVICE_VARIABLES.items()}
        return {**{name: str(value) for name, value in told.items() if value is not None}, **self.env}

    @property
    def keys(self) -> dict[str, str]:
        """The names of the secrets that are the service's keys, by what they are called as files."""
        return dict(zip(("primary", "secondary"), self.auth_keys, strict=False))

    @property
    def variables_hidden(self) -> list[str]:
        """The names of the secrets that are variables of the service: all but the keys."""
        return sorted({*self.secrets} - {*self.auth_keys})

    @property
    def guarded(self) -> bool:
        """Whether the service asks who it is."""
        return self.auth == "key" or TOKEN_ISSUER in self.env

    def revealed(self) -> dict[str, str]:
        """The secrets' values, for the one place that sends them."""
        return {name: value.get_secret_value() for name, value in self.secrets.items()}

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it: without what is not set, secrets hidden."""
        shown = self.model_dump(mode="json", exclude={"image", "secrets"}, exclude_none=True)
        return {**shown, "image": str(self.image), "secrets": dict.fromkeys(sorted(self.secrets), HIDDEN)}


def without_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """What a service has said, its `secrets` (values by name) hidden."""
    # The longest first: another may be a part of it.
    for value in sorted(filter(None, secrets.values()), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def flag(setting: str) -> str:
    """The flag of `scorewright deploy` that sets it; a part of probes or autoscale is written with a dot."""
    whole, _, part = setting.partition(".")
    known = {"probes.start": "--timeout", "auth_keys": "--auth-key", "secrets": "--secret", "tags": "--tag"}
    if whole == "probes":
        return known.get(setting, f"--probe-{part}")
    return known.get(whole, "--" + whole.replace("_", "-"))


def _explain(error: ValidationError) -> str:
    faults = []
    for fault in error.errors():
        message = fault["msg"].removeprefix("Value error, ")
        place = flag(".".join(str(part) for part in fault["loc"]))
        faults.append(f"{place}: {message[0].lower()}{message[1:]}" if fault["loc"] else message)
    return "; ".join(faults) + "."
