"""Scorers that have done their share: another is ready in their place before they end, and no request notices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.service.load import Load
from tests.service.servers import OBEDIENT, WAIT_SECONDS, wait_until, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.servers import Serve


@pytest.mark.parametrize("fronts", [1, 2])
def test_after_so_many_requests_a_scorer_is_renewed_and_none_fails(fronts: int, serve: Serve, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    words = ["--worker-count", "2", "--max-requests", "30", "--max-requests-jitter", "20"]
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--http-workers", str(fronts), *words).ready()
    wait_until(lambda: len(server.fronts()) == fronts - 1)
    wait_until(lambda: httpx.get(server.url + "/readyz").json().get("scorers") == 2)
    fewest = 2
    with Load(server, {"note": str(notes), "name": "x"}) as load:
        while server.log.count("has ended.") < 6:
            fewest = min(fewest, httpx.get(server.url + "/readyz").json().get("scorers", 0))
            load.more(1)
    assert fewest == 2
    assert load.answers == {(200, '"x"'): load.sent}
    assert len(notes.read_text().split()) == load.sent
    shares = [int(number) for number in re.findall(r"it has answered (\d+) requests", server.log)]
    assert min(shares) >= 30
    wait_until(lambda: len(server.scorers()) == 2)


def test_one_that_leaks_is_renewed(serve: Serve, tmp_path: Path) -> None:
    script = (
        OBEDIENT + "\n\nkept = []\n\n\ndef run(raw):\n    kept.append(bytearray(8_000_000))\n    return len(kept)\n"
    )
    most = str(150_000_000)
    server = serve(str(write_bundle(tmp_path / "b", script)), "--max-scorer-bytes", most).ready()
    with Load(server, {}, clients=1) as load:
        while server.log.count("has ended.") < 2:
            load.more(1)
    server.line("is to be replaced: it has [0-9]+ bytes of memory, more than max_scorer_bytes")
    assert {status for status, _ in load.answers} == {200}
    assert load.answers.total() == load.sent


def test_less_than_a_fresh_scorer_has_is_refused(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--max-scorer-bytes", "1000")
    assert server.process.wait(WAIT_SECONDS) == 9
    server.line("max_scorer_bytes is 1000 and a scorer that has just been started has [0-9]+")
