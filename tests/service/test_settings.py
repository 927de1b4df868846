"""Settings: where they are read from, what is refused, and that the page has them all."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path

import pytest

from scorewright import cli
from scorewright.errors import UsageError
from scorewright.service import settings
from scorewright.service.limits import Limits
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
        ("SCOREWRIGHT_MAX_QUEUE_BYTES", "-1", "max_queue_bytes is '-1': input should be greater than or equal to 1"),
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


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            {"max_batch_requests": 50, "max_concurrent_requests_per_instance": 20},
            "max_batch_requests is 50 and max_concurrent_requests_per_instance 20: "
            "a batch cannot have more requests than there may be.",
        ),
        (
            {"max_body_bytes": 2000, "max_queue_bytes": 1000},
            "max_body_bytes is 2000 and max_queue_bytes 1000: there would never be room for the largest body.",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_both_numbers(flags: dict[str, int], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        settings.read(bundle="b", **flags)
    assert refused.value.message == said


def test_what_is_not_set_follows_what_is() -> None:
    assert settings.read(bundle="b").settings.batch_requests == 128
    assert settings.read(bundle="b", max_concurrent_requests_per_instance=20).settings.batch_requests == 20
    assert settings.read(bundle="b", http_workers=3).settings.fronts == 3


def test_several_fronts_share_what_may_be_accepted_and_each_has_room_for_the_largest_body() -> None:
    alone = Limits.of(settings.read(bundle="b", http_workers=1, scoring_timeout_ms=0, worker_timeout=0).settings)
    assert (alone.requests, alone.held_bytes) == (1000, 256 * 1024 * 1024)
    assert (alone.queue_wait, alone.scoring, alone.worker_silence) == (math.inf, math.inf, math.inf)
    shared = Limits.of(settings.read(bundle="b", http_workers=3, max_queue_wait_ms=500, scoring_timeout_ms=60).settings)
    assert (shared.requests, shared.held_bytes) == (334, 100 * 1024 * 1024)
    assert (shared.queue_wait, shared.scoring, shared.worker_silence) == (0.5, 0.06, 300)


def test_a_bundle_and_a_script_are_refused_together() -> None:
    with pytest.raises(UsageError, match="Both a bundle and an entry script are given"):
        settings.read(bundle="b", entry_script="score.py")


def test_a_flag_for_a_script_wins_over_the_images_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCOREWRIGHT_BUNDLE", "/var/azureml-app")
    read = settings.read(entry_script="/score.py").settings
    assert (read.bundle, read.entry_script) == (None, "/score.py")


def test_a_configuration_file_comes_after_flags_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.json"
    content = {
        "AZUREML_ENTRY_SCRIPT": "score.py",
        "SCORING_TIMEOUT_MS": 700,
        "WORKER_COUNT": 4,
        "AZUREML_LOG_LEVEL": "debug",
        "SERVICE_NAME": "mine",
        "HOSTNAME": "somewhere",
        "subscription_id": "?",
    }
    file.write_text(json.dumps(content))
    monkeypatch.setenv("SCORING_TIMEOUT_MS", "900")
    monkeypatch.setenv("SERVICE_NAME", "")
    read = settings.read(config_file=file, worker_count=2)
    found = read.settings
    assert (found.entry_script, found.scoring_timeout_ms, found.worker_count) == ("score.py", 900, 2)
    assert (found.log_level, found.service_name, read.unknown) == ("DEBUG", "mine", ("subscription_id",))


@pytest.mark.parametrize("place", ["root", "script"])
def test_config_json_is_found_in_the_app_root_or_beside_the_script(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "script").mkdir()
    (tmp_path / place / "config.json").write_text('{"SCORING_TIMEOUT_MS": 5}')
    (tmp_path / "root" / "config.json").touch()  # an empty one is as none
    monkeypatch.setenv("AML_APP_ROOT", str(tmp_path / "root"))
    assert settings.read(entry_script=str(tmp_path / "script" / "score.py")).settings.scoring_timeout_ms == 5
    assert settings.read(bundle=tmp_path).settings.scoring_timeout_ms == 3_600_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "mine.json cannot be read: Expecting property name"),
        ("[]", "mine.json holds no JSON object"),
        ('{"WORKER_COUNT": "many"}', "worker_count is 'many': input should be a valid integer"),
        (None, "There is no configuration file"),
    ],
)
def test_a_bad_configuration_file_is_refused(content: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError) as refused:
        settings.read(config_file=file)
    assert said in refused.value.message


def test_the_application_insights_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings.read(bundle="b", app_insights_key="5f7ba1c6-0000-4000-8000-000000000000").settings
    assert read.app_insights_enabled
    assert "5f7ba1c6" not in repr(read)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.read(bundle="b").settings.port = 1


def test_every_setting_is_in_the_pages_table() -> None:
    flags = inspect.signature(cli.serve).parameters
    rows = []
    for name, field in Settings.model_fields.items():
        flag = settings.flag_name(name)
        flag = f"`{flag}`" if flag.removeprefix("--").replace("-", "_") in flags else "–"
        default = json.dumps(field.default) if isinstance(field.default, bool) else str(field.default)
        default = "–" if field.is_required() or field.default is None else f"`{default}`"
        variable = settings.env_name(name)
        flag = "`BUNDLE`" if name == "bundle" else flag
        rows.append(f"| `{name}` | {flag} | `{variable}` | {default} | {field.description} |")
    assert "\n".join(rows) in PAGE.read_text("utf-8")
