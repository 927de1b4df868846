"""The HTTP server's limits, and that no request is read out of another's body. Real sockets, real servers."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from scorewright.service.http_protocol import PIPELINED
from tests.service.servers import OBEDIENT, Server, serving, wait_until, write_bundle
from tests.service.test_certificate import write_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = {
    "SCOREWRIGHT_MAX_HEADER_BYTES": "2000",
    "SCOREWRIGHT_MAX_HEADERS": "20",
    "SCOREWRIGHT_MAX_CONNECTIONS": "5",
}
SHORT = {
    "SCOREWRIGHT_HEADER_TIMEOUT": "1",
    "SCOREWRIGHT_BODY_TIMEOUT": "1",
    "SCOREWRIGHT_MIN_BODY_RATE": "1000000",
    "SCOREWRIGHT_KEEP_ALIVE_TIMEOUT": "1",
    "SCOREWRIGHT_SEND_TIMEOUT": "1",
}
DESCRIPTORS = 160
NEXT = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def client_hello() -> bytes:
    """What a client begins a handshake with."""
    going = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), going, server_hostname="localhost").do_handshake()
    return going.read()


HELLO = client_hello()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("http") / "bundle", OBEDIENT)


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    with serving() as serve:
        yield serve(str(bundle)).ready()


@pytest.fixture(scope="module")
def strict(bundle: Path) -> Iterator[Server]:
    """One that takes little."""
    with serving() as serve:
        yield serve(str(bundle), **SMALL).ready()


@pytest.fixture(scope="module")
def impatient(bundle: Path) -> Iterator[Server]:
    with serving() as serve:
        yield serve(str(bundle), **SHORT).ready()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Arguments for TLS."""
    certificate, key = write_pair(tmp_path_factory.mktemp("tls") / "pair")
    return "--tls-cert", str(certificate), "--tls-key", str(key)


@pytest.fixture(scope="module")
def secure(bundle: Path, pair: tuple[str, ...]) -> Iterator[Server]:
    """One over TLS that waits no longer than the impatient one, and has few descriptors."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving() as serve:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, before[1]))
        try:
            server = serve(str(bundle), *pair, **SHORT, SCOREWRIGHT_MAX_CONNECTIONS=str(len(DAWDLING)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        server.listening()
        wait_until(lambda: statuses(exchange(server, NEXT.replace(b"/livez", b"/readyz"))) == [200])
        yield server


@contextlib.contextmanager
def plainly(server: Server) -> Iterator[socket.socket]:
    """A TCP connection, whatever is to be spoken over it."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 0), timeout=30) as connection:
        yield connection


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with plainly(server) as connection:
        if not server.url.startswith("https:"):
            yield connection
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(connection) as over_tls:
            yield over_tls


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def exchange(server: Server, *parts: bytes) -> bytes:
    """What is answered to these bytes; each part is sent when the service has read the one before."""
    with connected(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, part in enumerate(parts):
            if number:
                # The service reads what comes by itself, not in one piece with what comes next.
                wait_until(lambda: unread(connection) == 0)
            connection.sendall(part)
        return rest(connection)


def unread(connection: socket.socket) -> int:
    """Bytes that the service has not read yet of what was sent, from /proc/net/tcp (its receive queue)."""
    own, other = (f":{address[1]:04X}" for address in (connection.getsockname(), connection.getpeername()))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return next((int(row[4].split(":")[1], 16) for row in rows if row[1].endswith(other) and row[2].endswith(own)), 0)


def statuses(told: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", told)]


def post(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in (b"Host: x", *headers))
    return b"POST /score HTTP/1.1\r\n" + lines + b"\r\n" + body


RAW = b'{"raw": 1}'
LENGTH = b"Content-Length: %d" % len(RAW)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(RAW), RAW)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([LENGTH, b"Transfer-Encoding: chunked"], CHUNKED, 400),
        ([b"Transfer-Encoding: chunked", LENGTH], CHUNKED, 400),
        ([b"Transfer-Encoding: identity", LENGTH], RAW, 501),
        ([LENGTH, LENGTH], RAW, 400),
        ([LENGTH, b"Content-Length: 0"], RAW, 400),
        ([b"Content-Length: 10, 10"], RAW, 400),
        ([b"Content-Length: +10"], RAW, 400),
        ([b"Content-Length: -10"], RAW, 400),
        ([b"Content-Length: 0x0a"], RAW, 400),
        ([b"Content-Length: 1_0"], RAW, 400),
        ([b"Content-Length: 1 0"], RAW, 400),
        ([b"Content-Length: "], RAW, 400),
        ([b"Content-Length: 99999999999999999999"], RAW, 400),
        ([b"Content-Length : 10"], RAW, 400),
        ([b"Content-Length\t: 10"], RAW, 400),
        ([b"Content-Length: 10\x00"], RAW, 400),
        ([b"X: y", b" Content-Length: 10"], RAW, 400),
        ([b"X: y\rContent-Length: 10"], RAW, 400),
        ([b"X: y\nContent-Length: 10"], RAW, 400),
        ([b"Transfer-Encoding: gzip, chunked"], CHUNKED, 501),
        ([b"Transfer-Encoding: gzip"], RAW, 501),
        ([b"Transfer-Encoding: identity, chunked"], CHUNKED, 501),
        ([b"Transfer-Encoding: chunked, identity"], CHUNKED, 501),
        ([b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"], CHUNKED, 501),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], CHUNKED, 400),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"], CHUNKED, 400),
        ([b"Transfer-Encoding: xchunked"], CHUNKED, 501),
        ([b"Transfer-Encoding: \x0bchunked"], CHUNKED, 400),
        ([b"Transfer-Encoding:"], CHUNKED, 400),
        ([b"Transfer-Encoding : chunked"], CHUNKED, 400),
        ([b"Transfer-Encoding: chunked\x00"], CHUNKED, 400),
        ([b"Transfer-Encoding: chunked;q=1"], CHUNKED, 501),
        ([b"Transfer-Encoding: chunked"], CHUNKED.replace(b"\r\n", b"\n"), 400),
        ([b"Transfer-Encoding: chunked"], b"0x" + CHUNKED, 400),
        ([b"Transfer-Encoding: chunked"], b"-" + CHUNKED, 400),
        ([b"Transfer-Encoding: chunked"], CHUNKED.replace(b"}\r\n", b"}XX"), 400),
        ([b"Transfer-Encoding: chunked"], b"fffffffffffffffff\r\n", 400),
    ],
    ids=lambda value: b" + ".join(value).decode("latin-1") if isinstance(value, list) else None,
)
def test_what_is_framed_in_two_ways_is_refused_and_the_connection_ended(
    server: Server, headers: list[bytes], body: bytes, status: int
) -> None:
    told = exchange(server, post(body, *headers) + NEXT)
    found = statuses(told)
    assert len(found) == 1, told
    # RFC 9112, 6.1 and 6.3: 400, or 501 for a coding that is not known; either way nothing more is read.
    assert found[0] in ({status} if status == 400 else {400, 501}), told
    assert b"connection: close" in told.lower()
    assert list(json.loads(told.partition(b"\r\n\r\n")[2])) == ["message"]


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
def test_another_version_is_refused(server: Server, version: bytes) -> None:
    assert statuses(exchange(server, b"GET /livez " + version + b"\r\nHost: x\r\n\r\n" + NEXT)) == [505]


def test_no_coding_before_http_1_1(server: Server) -> None:
    told = exchange(server, post(CHUNKED, b"Transfer-Encoding: chunked").replace(b"1.1", b"1.0") + NEXT)
    assert statuses(told) == [400]


EVIL = b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = (b"Connection: upgrade", b"Upgrade: h2c")


@pytest.mark.parametrize("cut", ["whole", "after the head", "in the head", "in the body"])
@pytest.mark.parametrize("upgrade", [(), UPGRADE], ids=["plain", "upgrade"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_is_never_read_as_a_request(server: Server, cut: str, upgrade: tuple[bytes, ...], chunked: bool) -> None:
    body = b'{"raw": "' + EVIL.replace(b"\r\n", b"  ") + b'"}' + EVIL
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    request = post(framed, framing, *upgrade)
    at = {"whole": 0, "after the head": len(request) - len(framed), "in the head": 20, "in the body": len(request) - 20}
    whole = request + NEXT
    parts = [part for part in (whole[: at[cut]], whole[at[cut] :]) if part]
    told = exchange(server, *parts)
    # The script is given JSON with something behind it, and fails; the next is answered; nobody asked for /evil.
    assert statuses(told) == [500, 200], told
    assert b"alive" in told


def test_a_body_after_an_upgrade_is_the_body(server: Server) -> None:
    told = exchange(server, post(RAW, LENGTH, *UPGRADE, b"x-request-id: mine") + NEXT)
    assert statuses(told) == [200, 200]
    assert json.loads(told.split(b"\r\n\r\n")[1].partition(b"HTTP")[0]) == RAW.decode()
    assert b"x-request-id: mine" in told


def test_a_tunnel_is_refused(server: Server) -> None:
    assert statuses(exchange(server, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT)) == [405]


def test_trailers_are_no_headers_of_this_request_or_the_next(server: Server) -> None:
    trailed = CHUNKED.removesuffix(b"\r\n") + b"x-request-id: trailer\r\nx-ms-client-request-id: trailer\r\n\r\n"
    told = exchange(server, post(trailed, b"Transfer-Encoding: chunked") + NEXT)
    assert statuses(told) == [200, 200]
    assert b"trailer" not in told


def test_nothing_is_read_after_the_last_request(server: Server) -> None:
    told = exchange(server, NEXT + EVIL)
    assert statuses(told) == [200]
    assert b"alive" in told


def test_a_refusal_waits_for_the_answers_before_it(server: Server, tmp_path: Path) -> None:
    until = tmp_path / "now"
    held = json.dumps({"until": str(until)}).encode()
    with connected(server) as connection:
        connection.sendall(post(held, b"Content-Length: %d" % len(held)) + b"no http at all\r\n\r\n")
        wait_until(tmp_path.joinpath("now.started").exists)
        until.touch()
        told = rest(connection)
    assert statuses(told) == [200, 400]
    assert b'"held"' in told


def test_a_bad_chunk_behind_a_request_that_is_scored_is_refused_in_its_turn(server: Server, tmp_path: Path) -> None:
    until = tmp_path / "now"
    held = json.dumps({"until": str(until)}).encode()
    with connected(server) as connection:
        connection.sendall(
            post(held, b"Content-Length: %d" % len(held)) + post(b"5\r\nhello!!", b"Transfer-Encoding: chunked")
        )
        wait_until(tmp_path.joinpath("now.started").exists)
        until.touch()
        told = rest(connection)
    assert statuses(told) == [200, 400]


def test_more_pipelined_requests_than_may_wait_are_not_read(server: Server) -> None:
    told = exchange(server, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * (3 * PIPELINED))
    assert statuses(told) == [200] * (PIPELINED + 1)
    assert told.lower().count(b"connection: close") == 1


def test_fewer_are_all_answered(server: Server) -> None:
    one = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    assert statuses(exchange(server, one * (PIPELINED - 1), one * (PIPELINED - 1) + NEXT)) == [200] * (
        2 * PIPELINED - 1
    )


def test_headers_have_a_limit_in_number(strict: Server) -> None:
    assert statuses(exchange(strict, NEXT.replace(b"Host: x\r\n", b"Host: x\r\n" + b"a: b\r\n" * 18))) == [200]
    told = exchange(strict, NEXT.replace(b"Host: x\r\n", b"Host: x\r\n" + b"a: b\r\n" * 19))
    assert statuses(told) == [431]
    assert b"The request has 21 headers, more than 20." in told


@pytest.mark.parametrize("cut", [1, 3])
def test_headers_have_a_limit_in_size(strict: Server, cut: int) -> None:
    def split(request: bytes) -> list[bytes]:
        size = len(request) // cut + 1
        return [request[at : at + size] for at in range(0, len(request), size)]

    long = NEXT.replace(b"Host: x", b"Host: x\r\nA: " + b"y" * 1800)
    assert statuses(exchange(strict, *split(long))) == [200]
    told = exchange(strict, *split(NEXT.replace(b"Host: x", b"Host: x\r\nA: " + b"y" * 2000)))
    assert statuses(told) == [431]
    assert b"longer than 2000 bytes" in told
    assert statuses(exchange(strict, b"GET /" + b"a" * 2000, b"b" * 2000, b"c")) == [431]


def test_a_body_before_a_head_does_not_count_as_head(strict: Server) -> None:
    body = b'{"raw": "' + b"x" * 5000 + b'"}'
    told = exchange(strict, post(body, b"Content-Length: %d" % len(body)) + NEXT[:20], NEXT[20:])
    assert statuses(told) == [200, 200]


def test_what_comes_beside_a_body_has_a_limit(strict: Server) -> None:
    head = post(b"1;", b"Transfer-Encoding: chunked")
    assert statuses(exchange(strict, head, b"a" * 1500, b"a" * 1500)) == [431]
    assert statuses(exchange(strict, post(b"1\r\nx\r\n0\r\nT: ", b"Transfer-Encoding: chunked"), b"a" * 3000)) == [431]


DAWDLING: list[tuple[bytes, int | None, bytes]] = [
    (b"", None, b""),
    (NEXT.replace(b"Connection: close\r\n", b""), 200, b"alive"),
    (b"GET /livez HT", 408, b"headers have not come within 1 s"),
    (post(b"abc", b"Content-Length: 50"), 408, b"body has not come within 1 s"),
    (post(b"5\r\nabc", b"Transfer-Encoding: chunked"), 408, b"body has not come"),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", 200, b"alive"),
]


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    DAWDLING,
    ids=["nothing", "nothing more", "half a head", "half a body", "half a chunk", "half a body that nobody wants"],
)
def test_who_dawdles_is_hung_up_on(impatient: Server, sent: bytes, status: int | None, words: bytes) -> None:
    told = exchange(impatient, sent)
    assert statuses(told) == ([] if status is None else [status])
    assert words in told


def test_who_dawdles_over_tls_is_hung_up_on(secure: Server) -> None:
    wait_until(lambda: secure.connections() == 0)
    with contextlib.ExitStack() as stack:
        # All at once: each takes its time.
        dawdling = [(stack.enter_context(connected(secure)), *case) for case in DAWDLING]
        for connection, sent, _, _ in dawdling:
            connection.sendall(sent)
        for connection, _, status, words in dawdling:
            told = rest(connection)
            assert statuses(told) == ([] if status is None else [status])
            assert words in told


@pytest.mark.parametrize("served", ["impatient", "secure"])
def test_who_does_not_read_is_hung_up_on(request: pytest.FixtureRequest, served: str) -> None:
    server: Server = request.getfixturevalue(served)
    body = b'{"echo": "' + b"x" * 20_000_000 + b'"}'
    with connected(server) as connection:
        connection.sendall(post(body, b"Content-Length: %d" % len(body)))
        wait_until(lambda: server.connections() == 1)
        wait_until(lambda: server.connections() == 0)


def test_who_reads_nothing_of_a_long_answer_gives_the_scorer_back(tmp_path: Path) -> None:
    script = """
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    pass

def run(raw):
    return AMLResponse((b"x" * 100_000 for _ in range(10**6)), 200) if raw == "long" else "short"
"""
    with serving() as serve:
        server = serve(str(write_bundle(tmp_path / "bundle", script)), **SHORT).ready()
        with connected(server) as connection:
            connection.sendall(post(b"long", b"Content-Length: 4"))
            assert connection.recv(12) == b"HTTP/1.1 200"
            # The one scorer there is makes an answer that nobody takes; this one waits for it.
            told = exchange(server, post(b"brief", b"Content-Length: 5", b"Connection: close"))
        assert told.endswith(b'"short"')


def test_more_connections_than_may_be_are_turned_away(strict: Server) -> None:
    wait_until(lambda: strict.connections() == 0)
    with contextlib.ExitStack() as stack:
        half = [stack.enter_context(connected(strict)) for _ in range(5)]
        wait_until(lambda: strict.connections() == 5)
        told = exchange(strict)
        assert statuses(told) == [503]
        assert b"retry-after: 1" in told
        assert b"Too many connections: 5 are open, as many as may be." in told
        half[0].sendall(NEXT)
        assert statuses(rest(half[0])) == [200]
    wait_until(lambda: strict.connections() == 0)
    assert statuses(exchange(strict, NEXT)) == [200]


def test_over_tls_one_too_many_is_hung_up_on_before_its_handshake(secure: Server, tmp_path: Path) -> None:
    wait_until(lambda: secure.connections() == 0)
    until = tmp_path / "now"
    held = json.dumps({"until": str(until)}).encode()
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(connected(secure)) for _ in range(len(DAWDLING))]
        for connection in waiting:
            connection.sendall(post(held, b"Content-Length: %d" % len(held), b"Connection: close"))
        wait_until(tmp_path.joinpath("now.started").exists)
        with plainly(secure) as connection:
            connection.sendall(HELLO)
            assert rest(connection) == b""
        until.touch()
        assert [statuses(rest(connection)) for connection in waiting] == [[200]] * len(waiting)
    wait_until(lambda: secure.connections() == 0)
    assert statuses(exchange(secure, NEXT)) == [200]


@pytest.mark.parametrize("sent", [HELLO[:50], HELLO], ids=["half a hello", "a hello"])
def test_a_handshake_has_the_time_of_headers(secure: Server, sent: bytes) -> None:
    wait_until(lambda: secure.connections() == 0)
    with plainly(secure) as connection:
        connection.sendall(sent)
        wait_until(lambda: secure.connections() == 1)
        told = rest(connection)
    # What is answered to a whole hello is a record of the handshake.
    assert told[:1] == (b"\x16" if sent == HELLO else b"")


@pytest.mark.parametrize("sent", [b"", HELLO[:50], HELLO, NEXT], ids=["nothing", "half a hello", "a hello", "no TLS"])
def test_who_leaves_amid_the_handshake_does_not_count_any_more(secure: Server, sent: bytes) -> None:
    wait_until(lambda: secure.connections() == 0)
    for _ in range(6):
        with plainly(secure) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            rest(connection)
    assert statuses(exchange(secure, NEXT)) == [200]


def test_a_request_may_come_in_one_piece_with_the_end_of_the_handshake(secure: Server) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    over_tls = context.wrap_bio(coming, going)
    with plainly(secure) as connection:
        while True:
            try:
                over_tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(going.read())
                coming.write(connection.recv(65536))
        over_tls.write(NEXT)
        connection.sendall(going.read())
        coming.write(rest(connection))
    pieces = []
    while piece := over_tls.read():
        pieces.append(piece)
    assert statuses(b"".join(pieces)) == [200]


def test_silent_connections_over_tls_leave_descriptors_for_others(secure: Server) -> None:
    wait_until(lambda: secure.connections() == 0)
    held = secure.descriptors()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(plainly(secure)) for _ in range(DESCRIPTORS + 40)]
        for connection in silent[len(DAWDLING) :]:
            assert rest(connection) == b""
        assert secure.connections() <= len(DAWDLING)
        assert secure.descriptors() <= held + len(DAWDLING)
        # These are within the limit, and have the time that headers have.
        for connection in silent:
            assert rest(connection) == b""
        wait_until(lambda: secure.descriptors() <= held)
        assert statuses(exchange(secure, NEXT)) == [200]
    assert "Too many open files" not in secure.log


@pytest.mark.parametrize("path", [b"/batch/jobs", b"/score"])
def test_who_leaves_amid_a_body_is_no_fault(server: Server, path: bytes) -> None:
    before = server.connections()
    with connected(server) as connection:
        connection.sendall(
            post(b"{", b"Content-Length: 50", b"Content-Type: application/json").replace(b"/score", path)
        )
        wait_until(lambda: server.connections() == before + 1 and unread(connection) == 0)
    wait_until(lambda: server.connections() == before)


def test_nothing_of_this_is_a_fault_in_the_log(
    server: Server, strict: Server, impatient: Server, secure: Server
) -> None:
    for line in "\n".join([server.log, strict.log, impatient.log, secure.log]).splitlines():
        assert "Exception in" not in line
        assert "Fatal" not in line
        assert "ClientDisconnect" not in line
        assert "Unsupported upgrade" not in line
