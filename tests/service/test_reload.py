"""SIGHUP: another bundle takes the place of the one that is served, amid requests, or is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.service.load import Load
from tests.service.servers import OBEDIENT, WAIT_SECONDS, alive, runs, wait_until, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.servers import Serve, Server

SCRIPT = """
import os


def init():
    pass


def run(raw):
    return "NAME"


def run_many(raws):
    return [run(raw) for raw in raws]
"""


def made(folder: Path, name: str, *, script: str = SCRIPT, expected: str | None = None) -> Path:
    """A bundle that answers every request by its name, and says so in its sample."""
    answer = json.dumps(expected or name)
    return write_bundle(
        folder / name,
        script.replace("NAME", name),
        sample_request__json='{"data": []}',
        expected_response__json=answer,
        openapi__json=json.dumps({"openapi": "3.1.0", "info": {"title": name}, "paths": {"/score": {}}}),
    )


def switch(link: Path, to: Path) -> None:
    """Make a symbolic link lead elsewhere, in one go."""
    fresh = link.with_name("fresh")
    fresh.symlink_to(to)
    fresh.replace(link)


def reloads(server: Server) -> int:
    return server.log.count("Reloaded: ")


def reload(server: Server) -> None:
    """Ask for a reload, and wait until it is said to be done."""
    before = reloads(server)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: reloads(server) > before)


def titles(server: Server) -> set[str]:
    """The title of the service as new connections find it, whichever front they come to."""
    return {httpx.get(server.url + "/openapi.json").json()["info"]["title"] for _ in range(12)}


@pytest.mark.parametrize(("fronts", "scorers", "times"), [(1, 2, 5), (2, 1, 20)])
def test_reloads_amid_requests_fail_none_of_them(
    fronts: int, scorers: int, times: int, serve: Serve, tmp_path: Path
) -> None:
    bundles = [made(tmp_path, "a"), made(tmp_path, "b")]
    link = tmp_path / "served"
    switch(link, bundles[0])
    server = serve(str(link), "--http-workers", str(fronts), "--worker-count", str(scorers)).ready()
    wait_until(lambda: len(server.fronts()) == fronts - 1 and len(server.scorers()) == scorers)
    with Load(server, {}) as load:
        for turn in range(1, times + 1):
            bundle = bundles[turn % 2]
            switch(link, bundle)
            reload(server)
            assert {httpx.post(server.url + "/score", json={}).json() for _ in range(12)} == {bundle.name}, turn
            load.more(20)
        assert titles(server) == {bundles[times % 2].name}
    assert set(load.answers) == {(200, '"a"'), (200, '"b"')}
    assert (load.cut, load.lost, load.answers.total()) == (0, 0, load.sent)
    wait_until(lambda: len(server.scorers()) == scorers)
    assert server.end() == 0


def refused(server: Server, said: str) -> None:
    """Ask for a reload that is refused."""
    server.process.send_signal(signal.SIGHUP)
    server.line(f"The reload is refused, and what was served before goes on: .*{said}")
    wait_until(lambda: httpx.get(server.url + "/readyz").json().get("reload") == "refused")
    assert httpx.post(server.url + "/score", json={}).json() == "a"


def test_what_is_not_right_is_refused_and_the_old_goes_on(serve: Serve, tmp_path: Path) -> None:
    link = tmp_path / "served"
    switch(link, made(tmp_path, "a"))
    server = serve(str(link), "--http-workers", "2").ready()
    wait_until(lambda: len(server.fronts()) == 1)
    with Load(server, {}, clients=3) as load:
        tampered = made(tmp_path, "tampered")
        (tampered / "model" / "model.txt").write_text("another\n")
        switch(link, tampered)
        refused(server, "has changed since the bundle was made")
        switch(link, made(tmp_path, "failing", script=SCRIPT.replace("    pass", "    raise OSError('no model')")))
        refused(server, r"init\(\) in .* failed")
        server.line("OSError: no model")
        switch(link, made(tmp_path, "wrong", expected="right"))
        refused(server, "sample is not answered as expected_response.json has it: .* is 'wrong', expected 'right'")
        switch(link, made(tmp_path, "dies", script=SCRIPT.replace("    pass", "    os._exit(5)")))
        refused(server, "ended while it loaded .*: it exited with code 5")
        link.unlink()
        refused(server, "is not a folder")
        load.more(20)
        assert titles(server) == {"a"}
        switch(link, made(tmp_path, "b"))
        reload(server)
        load.more(20)
    wait_until(lambda: httpx.get(server.url + "/readyz").json() == {"status": "ready", "scorers": 1})
    assert titles(server) == {"b"}
    assert set(load.answers) == {(200, '"a"'), (200, '"b"')}
    assert (load.cut, load.lost) == (0, 0)


def test_what_a_bundle_had_accepted_is_answered_by_it(serve: Serve, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    waits = SCRIPT.replace('"NAME"', f'_hold({str(hold)!r}) or "NAME"') + OBEDIENT[OBEDIENT.index("\n\ndef _hold") :]
    link = tmp_path / "served"
    hold.touch()
    switch(link, made(tmp_path, "a", script="import time\n" + waits))
    server = serve(str(link)).ready()
    hold.unlink()
    (former,) = server.scorers()
    with ThreadPoolExecutor(4) as threads:
        early = [threads.submit(httpx.post, server.url + "/score", json={}, timeout=WAIT_SECONDS) for _ in range(4)]
        wait_until(lambda: server.connections() == 4)
        switch(link, made(tmp_path, "b"))
        reload(server)
        assert httpx.post(server.url + "/score", json={}).json() == "b"
        assert alive(former)
        hold.touch()
        assert [one.result(WAIT_SECONDS).json() for one in early] == ["a"] * 4
    server.line("What was served before has answered all it had accepted, and has ended.")
    assert not runs(former)


def test_a_scorer_is_not_replaced_by_what_was_never_verified(serve: Serve, tmp_path: Path) -> None:
    bundle = made(tmp_path, "a")
    server = serve(str(bundle)).ready()
    (bundle / "score.py").write_text(SCRIPT.replace("NAME", "never verified"))
    (scorer,) = server.scorers()
    os.kill(scorer, signal.SIGKILL)
    server.line("A scorer cannot be replaced: .*score.py has changed since the bundle was made")
    assert httpx.post(server.url + "/score", json={}).status_code == 503
    made(tmp_path, "a")
    wait_until(lambda: httpx.get(server.url + "/").status_code == 200)
    assert httpx.post(server.url + "/score", json={}).json() == "a"


def test_an_entry_script_is_imported_again(serve: Serve, tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text(SCRIPT.replace("NAME", "before"))
    server = serve("--entry-script", str(script), SCOREWRIGHT_HOST="127.0.0.1").ready()
    script.write_text(SCRIPT.replace("NAME", "afterwards"))
    reload(server)
    assert httpx.post(server.url + "/score", json={}).json() == "afterwards"


def test_a_later_reload_takes_the_place_of_one_that_hangs(serve: Serve, tmp_path: Path) -> None:
    link = tmp_path / "served"
    switch(link, made(tmp_path, "a"))
    server = serve(str(link)).ready()
    switch(link, made(tmp_path, "hangs", script=SCRIPT.replace("    pass", "    import time; time.sleep(600)")))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(server.scorers()) == 2)
    switch(link, made(tmp_path, "b"))
    reload(server)
    assert httpx.post(server.url + "/score", json={}).json() == "b"
    wait_until(lambda: len(server.scorers()) == 1)
    switch(link, made(tmp_path, "hangs"[::-1], script=SCRIPT.replace("    pass", "    import time; time.sleep(600)")))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(server.scorers()) == 2)
    assert server.end() == 0


def test_under_nohup_it_passes_sighup_over(tmp_path: Path) -> None:
    bundle = made(tmp_path, "a")
    words = ["nohup", sys.executable, "-m", "scorewright", "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            url = next(line.split()[-1].rstrip(".") for line in process.stdout if "listens on" in line)
            wait_until(lambda: httpx.get(url + "/").status_code == 200)
            process.send_signal(signal.SIGHUP)
            assert httpx.post(url + "/score", json={}).json() == "a"
        finally:
            process.terminate()
        assert "Reload" not in process.stdout.read()
        assert process.wait(WAIT_SECONDS) == 0
