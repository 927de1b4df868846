"""The gate: what a request must carry, what is answered to one that does not, and that nothing is told of keys."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scorewright.service.target import EVERYWHERE
from tests.service.servers import OBEDIENT, WAIT_SECONDS, connected, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.servers import Serve, Server

PRIMARY, SECONDARY, WRONG = "primary-0123456789", "secondary-0123456789", "wrong-0123456789"
PAGE = "https://page.example"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gate")
    with serving(cwd=folder) as serve:
        yield serve(
            str(write_bundle(folder / "b", OBEDIENT)),
            "--access-log",
            "--access-control-allow-origins",
            PAGE,
            SCOREWRIGHT_PRIMARY_KEY=PRIMARY,
            SCOREWRIGHT_SECONDARY_KEY=SECONDARY,
            SCOREWRIGHT_HOST=EVERYWHERE,
        ).ready()


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "//livez"])
def test_health_is_open(path: str, client: httpx.Client, server: Server) -> None:
    assert client.get(server.url + path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[("POST", "/score"), ("GET", "/score"), ("OPTIONS", "/score"), ("POST", "//score"), ("POST", "/score/")],
        *[("GET", "/v2"), ("GET", "/v2/models/hand-written"), ("POST", "/v2/models/hand-written/infer")],
        *[("POST", "/batch/jobs"), ("GET", "/batch/jobs"), ("GET", "/batch/jobs/x"), ("DELETE", "/batch/jobs/x")],
        *[("GET", "/swagger.json"), ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/docs/static/docs.js")],
        *[("GET", "/metrics"), ("GET", "/nothing"), ("GET", "/livez/"), ("GET", "/docs/../livez/x")],
    ],
)
def test_everything_else_asks_for_a_key(method: str, path: str, client: httpx.Client, server: Server) -> None:
    refused = client.request(method, server.url + path, headers={"x-request-id": "mine"})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert (refused.headers["x-request-id"], refused.headers["x-ms-request-id"]) == ("mine", "mine")
    assert refused.headers["x-ms-server-version"].startswith("scorewright/")
    assert refused.headers["content-type"] == "application/json"
    word = "error" if path.startswith("/v2") else "message"
    said = "The service asks for a key: send it as Authorization: Bearer, a space, and a key."
    assert refused.json() == {word: said}
    assert client.request(method, server.url + path, headers=bearer(PRIMARY)).status_code != 401


@pytest.mark.parametrize("key", [PRIMARY, SECONDARY])
def test_either_key_will_do(key: str, client: httpx.Client) -> None:
    answered = client.post("/score", json={"echo": 7}, headers=bearer(key))
    assert (answered.status_code, answered.json()) == (200, 7)
    assert client.post("/score", json={"echo": 8}, headers={"authorization": f"bearer  {key}"}).json() == 8


@pytest.mark.parametrize(
    "value",
    [
        *[f"Bearer {WRONG}", f"Bearer {PRIMARY}x", f"Bearer {PRIMARY[:-1]}", f"Bearer {PRIMARY} {PRIMARY}"],
        *["Bearer", PRIMARY, f"Token {PRIMARY}", f"Bearer{PRIMARY}", f"Bearer {PRIMARY.upper()}", ""],
        # Basic is for what a browser shows alone: it would send it along with whatever a page asks for.
        "Basic " + base64.b64encode(f"me:{PRIMARY}".encode()).decode(),
    ],
)
def test_anything_else_will_not(value: str, client: httpx.Client) -> None:
    refused = client.post("/score", json={"echo": 7}, headers={"authorization": value})
    assert refused.status_code == 401
    assert PRIMARY not in refused.text
    assert client.post("/score", json={"echo": 7}, headers=bearer(PRIMARY)).json() == 7


def test_two_credentials_are_none(client: httpx.Client) -> None:
    twice = [("authorization", f"Bearer {WRONG}"), ("authorization", f"Bearer {PRIMARY}")]
    assert client.post("/score", json={"echo": 7}, headers=twice).json() == {"message": "Authorization must come once."}


def test_a_browser_reads_the_docs_with_a_key_as_its_password(client: httpx.Client) -> None:
    asked = client.get("/docs")
    assert [value.split()[0] for value in asked.headers.get_list("www-authenticate", split_commas=False)] == [
        "Bearer",
        "Basic",
    ]
    for path in ("/docs", "/docs/static/docs.js", "/openapi.json", "/swagger.json"):
        assert client.get(path, auth=("anyone", SECONDARY)).status_code == 200, path
        assert client.get(path, auth=("anyone", WRONG)).status_code == 401, path
    assert client.get("/docs", headers={"authorization": "Basic ?"}).status_code == 401


def test_a_page_may_ask_whether_it_may_ask(client: httpx.Client) -> None:
    wanted = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    asked = client.options("/score", headers=wanted)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert asked.headers["access-control-allow-headers"] == "authorization, content-type"
    assert asked.headers["access-control-allow-methods"] == "GET, POST"
    assert client.post("/score", json={"echo": 1}, headers=bearer(PRIMARY) | {"origin": PAGE}).json() == 1
    refused = client.post("/score", json={"echo": 1}, headers={"origin": PAGE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)
    other = client.options("/score", headers=wanted | {"origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers


def test_the_body_is_not_read_and_the_client_learns_why(server: Server) -> None:
    url = httpx.URL(server.url)
    with socket.create_connection(("127.0.0.1", url.port or 0), timeout=WAIT_SECONDS) as connection:
        head = "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 401 "), received
    assert b"connection: close" in received
    assert b"100 Continue" not in received


def test_a_connection_goes_on_after_a_small_refused_request(client: httpx.Client, server: Server) -> None:
    before = server.connections()
    for _ in range(5):
        assert client.post("/score", content=b"x" * 1000).status_code == 401
    assert server.connections() == before


def test_the_description_says_so(client: httpx.Client) -> None:
    document: dict[str, Any] = client.get("/openapi.json", headers=bearer(PRIMARY)).json()
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"], document["security"]) == ("http", "bearer", [{"bearer": []}])
    for path, operations in document["paths"].items():
        open_to_all = path in ("/", "/livez", "/readyz", "/v2/health/live", "/v2/health/ready")
        for operation in operations.values():
            assert ("401" in operation["responses"]) is not open_to_all, path
            assert (operation.get("security") == []) is open_to_all, path
    assert "Bearer" in client.get("/swagger.json", headers=bearer(PRIMARY)).json()["securityDefinitions"]


def test_what_is_refused_is_counted(client: httpx.Client) -> None:
    client.post("/score", json={"echo": 1})
    counted = client.get("/metrics", headers=bearer(PRIMARY)).text
    assert [line for line in counted.splitlines() if "401" in line and not line.endswith(" 0")], counted


def test_the_keys_are_nowhere(client: httpx.Client, server: Server) -> None:
    refused = client.post("/score?secret=no", json={"echo": 1}, headers=bearer(WRONG))
    server.line(r"POST /score 401 \S+ms \d+$|POST /score\?secret=no 401|POST /score 401")
    assert refused.status_code == 401
    assert not [key for key in (PRIMARY, SECONDARY, WRONG) if key in server.log]
    for pid in server.scorers():
        assert PRIMARY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert "asks for no key" not in server.log


KEPT = """
from azureml_inference_server_http.api.aml_request import rawhttp


def init():
    pass


@rawhttp
def run(request):
    return dict(request.headers)
"""


def test_several_fronts_and_a_mounted_secret_that_is_changed(tmp_path: Path, serve: Serve) -> None:
    mount = tmp_path / "keys"
    mount_secret(mount, "1", primary=PRIMARY, secondary=SECONDARY)
    server = serve(str(write_bundle(tmp_path / "b", KEPT)), "--http-workers", "3", "--keys-path", str(mount)).ready()
    wait_until(lambda: len(server.fronts()) == 2)
    clients = [httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) for _ in range(30)]

    def statuses(key: str) -> set[int]:
        with ThreadPoolExecutor(30) as threads:
            return {*threads.map(lambda one: one.get("/score", headers=bearer(key)).status_code, clients)}

    for one in clients:
        wait_until(lambda one=one: one.get("/readyz").status_code == 200)  # type: ignore[misc]
    assert all(server.connections(pid) > 0 for pid in [server.process.pid, *server.fronts()])
    assert (statuses(PRIMARY), statuses(SECONDARY), statuses("third-0123456789")) == ({200}, {200}, {401})
    told = clients[0].get("/score", headers=bearer(PRIMARY) | {"x-mine": "1"}).json()
    assert "X-Mine" in told
    assert "Authorization" not in told
    mount_secret(mount, "2", primary="third-0123456789", secondary=SECONDARY)
    wait_until(lambda: statuses("third-0123456789") == {200})
    wait_until(lambda: statuses(PRIMARY) == {401})
    assert statuses(SECONDARY) == {200}
    # A secret without a key, or a bad one, is no secret.
    mount_secret(mount, "3")
    server.line("The new keys are not taken, those of before stay: There is no key in")
    mount_secret(mount, "4", primary="short")
    server.line("primary, line 1 is no key: a key has 16 to 1000 characters, this one 5")
    assert statuses(SECONDARY) == {200}
    assert "short" not in server.log
    for one in clients:
        one.close()


def test_a_front_that_is_replaced_has_the_keys_of_before_and_follows_the_file(tmp_path: Path, serve: Serve) -> None:
    file = tmp_path / "keys"
    file.write_text(PRIMARY)
    words = [str(write_bundle(tmp_path / "b", OBEDIENT)), "--http-workers", "2", "--keys-path", str(file)]
    server = serve(*words, SCOREWRIGHT_SECONDARY_KEY=SECONDARY).ready()
    wait_until(lambda: len(server.fronts()) == 1)
    # What is in use is not what it was started with.
    file.write_text("third-0123456789")
    wait_until(lambda: len(re.findall("The keys have changed: 2 may be used", server.log)) == 2)
    file.write_text("short")
    wait_until(lambda: len(re.findall("The new keys are not taken", server.log)) == 2)
    (former,) = server.fronts()
    os.kill(former, signal.SIGKILL)
    wait_until(lambda: server.fronts() not in ([], [former]))
    (fresh,) = server.fronts()
    with contextlib.ExitStack() as stack:
        theirs = connected(stack, server, fresh)

        def statuses() -> list[int]:
            keys = ("third-0123456789", SECONDARY, PRIMARY, "short")
            return [theirs.get("/openapi.json", headers=bearer(key)).status_code for key in keys]

        assert statuses() == [200, 200, 401, 401]
        # It says so itself, as the others did.
        wait_until(lambda: len(re.findall("The new keys are not taken", server.log)) == 3)
        assert statuses() == [200, 200, 401, 401]
        file.write_text(PRIMARY)
        wait_until(lambda: statuses() == [401, 200, 200, 401])
    assert server.fronts() == [fresh]
    assert not [key for key in (PRIMARY, SECONDARY, "third-0123456789") if key in server.log]
    told = [Path(f"/proc/{fresh}/{what}").read_bytes() for what in ("cmdline", "environ")]
    hashes = [hashlib.sha256(key.encode()).hexdigest() for key in (PRIMARY, SECONDARY, "third-0123456789")]
    assert not [secret for secret in (PRIMARY, SECONDARY, *hashes) if any(secret.encode() in one for one in told)]


def mount_secret(mount: Path, version: str, **keys: str) -> None:
    """As Kubernetes does it: the files are links through ..data, which is renamed over."""
    mount.mkdir(exist_ok=True)
    (mount / f"..{version}").mkdir()
    for name, key in keys.items():
        (mount / f"..{version}" / name).write_text(key)
    (mount / "..new").symlink_to(f"..{version}")
    (mount / "..new").replace(mount / "..data")
    for path in mount.iterdir():
        if path.is_symlink() and not path.name.startswith("..") and path.name not in keys:
            path.unlink()
    for name in keys:
        if not (mount / name).is_symlink():
            (mount / name).symlink_to(f"..data/{name}")


def test_several_fronts_are_given_the_keys_of_the_environment(tmp_path: Path, serve: Serve) -> None:
    words = [str(write_bundle(tmp_path / "b", OBEDIENT)), "--http-workers", "2"]
    server = serve(*words, SCOREWRIGHT_PRIMARY_KEY=PRIMARY).ready()
    wait_until(lambda: len(server.fronts()) == 1)
    for _ in range(20):
        assert httpx.post(server.url + "/score", json={"echo": 1}, headers=bearer(PRIMARY)).json() == 1
        assert httpx.post(server.url + "/score", json={"echo": 1}, headers=bearer("*" * 10)).status_code == 401
    (front,) = server.fronts()
    assert PRIMARY.encode() not in Path(f"/proc/{front}/environ").read_bytes()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SCOREWRIGHT_PRIMARY_KEY": "short"}, "primary_key is no key: a key has 16 to 1000 characters, this one 5."),
        ({"SCOREWRIGHT_PRIMARY_KEY": "with a space 0123456789"}, "it has characters that a header cannot carry"),
        ({"SCOREWRIGHT_KEYS_PATH": "nowhere"}, "The keys cannot be read: [Errno 2] No such file or directory"),
        ({"SCOREWRIGHT_KEYS_PATH": "empty"}, "There is no key in empty."),
        ({"SCOREWRIGHT_TOKEN_ISSUER": "https://i.example"}, "one of token_issuer and token_audience is given"),
        (
            {"SCOREWRIGHT_TOKEN_ISSUER": "http://i.example", "SCOREWRIGHT_TOKEN_AUDIENCE": "a"},
            "token_issuer is http://i.example, and its keys must come over https.",
        ),
        ({"SCOREWRIGHT_TOKEN_CLIENTS": "a"}, "token_permissions and token_clients say nothing without token_issuer"),
        ({"SCOREWRIGHT_TLS_CERT": "empty"}, "one of tls_cert and tls_key is given: HTTPS needs both"),
    ],
)
def test_what_cannot_guard_is_refused_at_the_start(environment: dict[str, str], said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    bundle = write_bundle(tmp_path / "b", OBEDIENT)
    with serving(cwd=tmp_path) as serve:
        server = serve(str(bundle), **environment)
        assert server.process.wait(WAIT_SECONDS) == 2
        wait_until(lambda: server.finished)
        assert said in server.log
        assert "with a space" not in server.log.replace(said, "")


def test_a_public_address_without_a_key_is_warned_of(tmp_path: Path, serve: Serve) -> None:
    bundle = str(write_bundle(tmp_path / "b", OBEDIENT))
    serve(bundle, "--host", EVERYWHERE).line("WARNING .*Whoever reaches this machine can use the service")
    quiet = serve(bundle, "--host", "127.0.0.2").ready()
    assert "Whoever reaches" not in quiet.log
    assert httpx.get(quiet.url + "/openapi.json").json().get("security") is None
    assert json.loads(httpx.post(quiet.url + "/score", json={"echo": 1}).content) == 1
