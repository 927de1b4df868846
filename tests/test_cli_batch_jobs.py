"""`scorewright batch submit|status|wait|cancel|list` against a real service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.service.batch.jobs_api import JobsApi
from tests.service.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobsApi]:
    with serving() as serve:
        api = JobsApi(serve, tmp_path_factory.mktemp("cli"))
        api.inputs("in", a="1", b="", c="3")
        api.inputs("held", hold="1")
        api.start()
        yield api


def test_submit_and_wait(api: JobsApi, command: Command) -> None:
    words = ("--input", "in", "--output", "out", "--mini-batch-size", 1, "--max-retries", 0, "--idempotency-key", "k")
    ran = command("batch", "submit", api.server.url, *words, "--wait")
    assert (ran.exit_code, "Traceback" in ran.err) == (0, False)
    assert "state          completed" in ran.out
    assert "mini-batches   3 of 3\nrows           2 of 3, 1 failed\n" in ran.out
    assert f"result         {api.data}/out/predictions.csv" in ran.out
    again = command("batch", "submit", f"{api.server.url}/batch/jobs/", *words)
    job = again.out.strip()
    assert f"job            {job}" in ran.out
    told = json.loads(command("batch", "status", api.server.url, job, "--json").out)
    assert (told["id"], told["state"], told["settings"]) == (job, "completed", {"mini_batch_size": 1, "max_retries": 0})
    listed = command("batch", "list", api.server.url, "--state", "completed")
    assert listed.out == f"{job}  completed  2 of 3, 1 failed          in -> out\n"
    assert json.loads(command("batch", "list", api.server.url, "--json").out)[0]["id"] == job


def test_cancel_and_wait_for_what_was_cancelled(api: JobsApi, command: Command) -> None:
    submitted = command("batch", "submit", api.server.url, "--input", "held", "--output", "held-out")
    job = submitted.out.strip()
    assert submitted.exit_code == 0
    cancelled = command("batch", "cancel", api.server.url, job)
    assert cancelled.exit_code == 0
    waited = command("batch", "wait", api.server.url, job)
    assert waited.exit_code == 11
    assert waited.err.splitlines()[-1].startswith(f"Error: Job {job} is cancelled: It was cancelled")
    as_json = command("batch", "wait", api.server.url, job, "--json")
    assert (as_json.exit_code, json.loads(as_json.out)["state"]) == (11, "cancelled")


def test_a_service_that_asks_for_a_key_is_given_it(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "a-key-0123456789abc"
    (tmp_path / "key").write_text(key + "\n")
    with serving() as serve:
        api = JobsApi(serve, tmp_path / "api")
        api.inputs("in", a="1")
        url = api.start(SCOREWRIGHT_PRIMARY_KEY=key).url
        refused = command("batch", "submit", url, "--input", "in", "--output", "out")
        assert (refused.exit_code, "The service asks for a key" in refused.err) == (1, True)
        ran = command(
            "batch", "submit", url, "--input", "in", "--output", "out", "--wait", "--key-file", tmp_path / "key"
        )
        assert ran.exit_code == 0, ran.err
        assert command("batch", "list", url, "--key", key).out.count("completed") == 1
        monkeypatch.setenv("SCOREWRIGHT_KEY", key)
        assert command("batch", "list", url).exit_code == 0
        wrong = command("batch", "list", url, "--key", "wrong")
        assert "The key is not one of this service" in wrong.err
        assert command("batch", "list", url, "--key", key, "--key-file", tmp_path / "key").exit_code == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("submit", "URL", "--input", "nowhere", "--output", "o"), 1, "input is 'nowhere': there is nothing at"),
        (("submit", "URL", "--input", "../in", "--output", "o"), 1, "../in is not within"),
        (
            ("submit", "URL", "--input", "in", "--output", "o", "--mini-batch-size", "many"),
            2,
            "mini_batch_size is 'many'",
        ),
        (("status", "URL", "no such job"), 1, "There is no job 'no such job'."),
        (("wait", "URL", "x"), 1, "There is no job 'x'."),
        (("cancel", "URL", "x"), 1, "There is no job 'x'."),
        (("status", "http://127.0.0.1:1", "x"), 9, "http://127.0.0.1:1 gave no answer"),
        (("list", "ftp://x"), 2, "ftp://x is no address of a service."),
        (("list", "http://x:port"), 2, "http://x:port is no address of a service"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(
    words: tuple[str, ...], code: int, said: str, api: JobsApi, command: Command
) -> None:
    ran = command("batch", *(api.server.url if word == "URL" else word for word in words))
    assert ran.exit_code == code
    assert said in ran.err.replace("\n", " ")
    assert "Traceback" not in ran.err
