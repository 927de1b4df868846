"""Every error a user can meet.

ScorewrightError                 exit 1
├── UsageError                   exit 2   flags that contradict each other
├── ScriptError                  exit 3   an entry script that cannot be imported or whose init() fails
├── ModelError                   exit 4   a model that cannot be taken
│   ├── NotAModelError
│   ├── NotFittedError
│   ├── ModelImportError                  a pickle whose class cannot be imported
│   ├── UnsupportedModelError
│   ├── UntrustedTypeError                a skops file with types that nobody has said to trust
│   └── ConversionError                   a model that cannot be converted, or whose answers change by it
├── SampleError                  exit 5   a sample that does not fit the model
├── BundleError                  exit 6   a bundle that is missing, invalid or changed
│   └── OutputExistsError
├── VersionSkewError             exit 7   other library versions than those that made the model
├── CheckFailedError             exit 8   a bundle that does not answer as it should
├── ServiceError                 exit 9   the service cannot start or stay up
├── DockerError                  exit 10  no Docker engine, a failed build, a container that does not get healthy
├── BatchError                   exit 11  a batch job with too many failures, or without a result
│   └── BatchCancelledError               a batch job that was told to stop
├── LocationError                exit 12  a location that cannot be read or written
│   └── ForbiddenLocationError            a location that the service's jobs may not touch
├── LoadTestError                exit 13  a load test that could not be done
├── SloMissedError               exit 14  a load test whose figures are not those that were asked for
├── DeployError                  exit 15  a target that refuses, or a deployment that does not get healthy
├── RegistryError                exit 16  a model that is not registered, cannot be, or was changed since
│   └── NotBetterError           exit 17  a model that is registered only if it is better, and is not
├── DoctorError                  exit 18  something that `scorewright doctor` has looked at is not as it must be
└── RequestError                 HTTP 4xx and 5xx, the answer to one request

Each class owns its exit code or HTTP status. An error says what happened and where in its message,
and what to do in its hint.
"""

from __future__ import annotations

from typing import ClassVar


class ScorewrightError(Exception):
    """Base of all errors that are shown to a user without a traceback.

    `message` says what happened and where; `hint` says what to do about it.
    """

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint


class UsageError(ScorewrightError):
    """Flags or arguments that contradict each other."""

    exit_code = 2


class ScriptError(ScorewrightError):
    """An entry script that cannot be imported, or whose init() fails.

    Exit code 3 is the contract's: azmlinfsrv ends with it in the same cases.
    """

    exit_code = 3
    default_hint = "The traceback above is the script's own; mend the script or its model folder."


class ModelError(ScorewrightError):
    """A model that cannot be taken."""

    exit_code = 4


class NotAModelError(ModelError):
    """The file or object is no scikit-learn or Keras model."""

    default_hint = (
        "Pass a fitted scikit-learn estimator (.joblib, .pkl, .bin, .z, .skops) "
        "or a Keras model (.keras, .h5, SavedModel)."
    )


class NotFittedError(ModelError):
    """The estimator has not been fitted."""

    default_hint = "Call fit() before the model is saved."


class ModelImportError(ModelError):
    """The model was pickled with a class or function that cannot be imported here."""


class UnsupportedModelError(ModelError):
    """The model is one this generator cannot serve."""


class UntrustedTypeError(ModelError):
    """A skops file holds types that skops does not trust and that nobody has named."""


class ConversionError(ModelError):
    """The model cannot be converted for another runtime, or was not shown to answer the same in it."""

    default_hint = "Nothing was written. --runtime native scores the model as it is; auto takes onnx only where it can."


class SampleError(ScorewrightError):
    """A sample that cannot be read or does not fit the model."""

    exit_code = 5


class BundleError(ScorewrightError):
    """A bundle that is missing, invalid or changed since it was made."""

    exit_code = 6
    default_hint = "Make the bundle again with `scorewright generate`."


class OutputExistsError(BundleError):
    """The output folder is there already."""

    default_hint = "Choose another folder with --out, or replace this one with --force."


class VersionSkewError(ScorewrightError):
    """Library versions here differ from those that made the model."""

    exit_code = 7


class CheckFailedError(ScorewrightError):
    """A bundle that does not answer as it should."""

    exit_code = 8


class ServiceError(ScorewrightError):
    """The service cannot start or stay up."""

    exit_code = 9


class DockerError(ScorewrightError):
    """No Docker engine, a failed build, or a container that does not get healthy."""

    exit_code = 10


class BatchError(ScorewrightError):
    """A batch job with more failures than it may have, or without a result."""

    exit_code = 11


class BatchCancelledError(BatchError):
    """A batch job that was told to stop before it was done."""

    default_hint = "What is scored already is kept beside the output; --resume goes on from there."


class LocationError(ScorewrightError):
    """A location that cannot be read or written: missing, empty, in the way, without permission or out of space."""

    exit_code = 12


class ForbiddenLocationError(LocationError):
    """A location that jobs of the service may neither read nor write."""


class LoadTestError(ScorewrightError):
    """A load test that could not be done: nothing to ask, nobody who answers, or no request that was answered."""

    exit_code = 13


class SloMissedError(ScorewrightError):
    """A load test whose figures are not those that were asked for, or worse than those it is compared with."""

    exit_code = 14


class DeployError(ScorewrightError):
    """A target that refuses what it is asked, or a deployment on it that does not get healthy."""

    exit_code = 15


class RegistryError(ScorewrightError):
    """A registry that has no such model, does not take it, or whose files were changed."""

    exit_code = 16


class NotBetterError(RegistryError):
    """A model that was to be registered only if its metric is better than every version's before, and is not."""

    exit_code = 17
    default_hint = "Nothing was registered."


class DoctorError(ScorewrightError):
    """Something that `scorewright doctor` has looked at is not as it must be."""

    exit_code = 18
    default_hint = "What to do stands below each of them."


class RequestError(ScorewrightError):
    """The answer to one request that is not scored. `status` is its HTTP status.

    `failed` says that the script was at fault, not the request: it becomes the header x-ms-run-function-failed.
    """

    def __init__(self, status: int, message: str, *, hint: str = "", failed: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.failed = failed
