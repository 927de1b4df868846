"""Settings: where they are read from, what is refused, and that the page has them all."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from scorewright import cli
from scorewright.errors import UsageError
from scorewright.service import settings
from scorewright.service.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "service.md"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(settings.env_name(name), raising=False)


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings.read(bundle="b").settings.worker_count == 1
    monkeypatch.setenv("WORKER_COUNT", "3")
    monkeypatch.setenv("SCOREWRIGHT_BUNDLE", "from-env")
    assert settings.read(worker_count=None).settings.worker_count == 3
    assert settings.read().settings.bundle == Path("from-env")
    assert settings.read(worker_count=2).settings.worker_count == 2


def test_azures_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", "/models/a/1")
    monkeypatch.setenv("AZUREML_LOG_LEVEL", "debug")
    monkeypatch.setenv("SERVER_VERSION_LOG_RESPONSE_ENABLED", "false")
    read = settings.read(bundle="b").settings
    assert (read.model_dir, read.log_level, read.server_version_header) == ("/models/a/1", "DEBUG", False)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", "")
    monkeypatch.setenv("WORKER_COUNT", "")
    assert settings.read(bundle="b").settings == Settings(bundle=Path("b"))


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("WORKER_COUNT", "0", "worker_count is '0': input should be greater than or equal to 1"),
        ("WORKER_COUNT", "two", "worker_count is 'two': input should be a valid integer"),
        ("SCOREWRIGHT_PORT", "65536", "port is '65536': input should be less than or equal to 65535"),
        ("SCOREWRIGHT_MAX_QUEUE", "-1", "max_queue is '-1': input should be greater than or equal to 1"),
        ("SCOREWRIGHT_MAX_BODY_BYTES", "1MB", "max_body_bytes is '1MB': input should be a valid integer"),
        ("AZUREML_LOG_LEVEL", "loud", "log_level is 'LOUD': input should be 'CRITICAL', 'ERROR', 'WARNING'"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_is_allowed(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as refused:
        settings.read(bundle="b")
    assert said in refused.value.message
    assert variable in refused.value.message


def test_no_bundle_is_refused_with_where_to_name_it() -> None:
    with pytest.raises(UsageError, match=r"bundle is not set \(.*SCOREWRIGHT_BUNDLE\)"):
        settings.read()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.read(bundle="b").settings.port = 1


def test_every_setting_is_in_the_pages_table() -> None:
    flags = inspect.signature(cli.serve).parameters
    rows = []
    for name, field in Settings.model_fields.items():
        flag = f"`{settings.flag_name(name)}`" if name in flags else "–"
        default = json.dumps(field.default) if isinstance(field.default, bool) else str(field.default)
        default = "–" if field.is_required() or field.default is None else f"`{default}`"
        variable = settings.env_name(name)
        flag = "`BUNDLE`" if name == "bundle" else flag
        rows.append(f"| `{name}` | {flag} | `{variable}` | {default} | {field.description} |")
    assert "\n".join(rows) in PAGE.read_text("utf-8")
