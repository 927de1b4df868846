"""A service's jobs below a blob prefix: run, fetched through the service, cancelled, and kept out of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from scorewright.service.batch.location import Location
from tests.service.batch.azurite import ACCOUNT
from tests.service.batch.jobs_api import JobsApi

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.batch.azurite import Azurite
    from tests.service.servers import Serve

pytestmark = pytest.mark.azurite


def test_jobs_below_a_prefix(azurite: Azurite, serve: Serve, tmp_path: Path) -> None:
    container = f"abfs://{azurite.container(f'c{uuid4().hex}')}@{ACCOUNT}"
    root = Location.of(f"{container}/jobs")
    for name in ("a", "hold", "z"):
        root.child("in", name).put(name.encode())
    api = JobsApi(serve, tmp_path / "service")
    api.start(SCOREWRIGHT_BATCH_ROOTS=f"{container}/jobs")

    for place in (f"{container}/other", f"{container}/jobs-of-others", f"{container}/jobs/../other"):
        answer = api.ask("POST", json={"input": place, "output": f"{root.url}/out"})
        assert answer.status_code in (400, 403)

    cancelled = api.submit(f"{container}/jobs/in", f"{root.url}/cancelled")
    api.reached("hold")
    assert api.ask("DELETE", f"/{cancelled}").status_code == 202
    assert api.ended(cancelled)["state"] == "cancelled"
    assert root.names() == ["in"]

    api.open("hold")
    job = api.ended(api.submit(f"{container}/jobs/in/*", f"{root.url}/out"))
    assert job["state"] == "completed", job["message"]
    (result,) = job["results"]
    assert result["location"] == f"{root.url}/out/predictions.csv"
    path = f"/{job['id']}/results/predictions.csv"
    assert api.ask("GET", path).content == b"a a\nhold hold\nz z\n"
    root.child("out", "predictions.csv").remove()
    assert api.ask("GET", path).status_code == 404
