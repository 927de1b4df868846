"""Tokens of a local issuer: which are good, which never are, and what happens while the issuer is away."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from scorewright.errors import RequestError
from scorewright.service import issuer_keys
from scorewright.service.issuer_keys import FRESH_SECONDS, RETRY_SECONDS, IssuerKeys
from scorewright.service.tokens import LEEWAY_SECONDS, Tokens
from tests.service.issuer import AUDIENCE, Answering, Issuer, new_rsa, public
from tests.service.servers import OBEDIENT, WAIT_SECONDS, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path
    from typing import Any

    from tests.service.servers import Server

LOG = logging.getLogger("test-tokens")
KEY = "a-key-0123456789abc"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def tokens(issuer: Issuer, clock: Clock, *, permissions: str = "", clients: str = "") -> Tokens:
    keys = IssuerKeys(issuer.url, LOG, clock)
    return Tokens(keys, issuer.url, [AUDIENCE, "other"], frozenset(permissions.split()), frozenset(clients.split()))


def status(checked: Coroutine[Any, Any, None]) -> int:
    """What a token is answered; 200 if it is good."""
    return asyncio.run(_status(checked))


async def _status(checked: Coroutine[Any, Any, None]) -> int:
    try:
        await checked
    except RequestError as refusal:
        return refusal.status
    return 200


def test_a_good_token_is_good_by_rsa_and_by_elliptic_curves(issuer: Issuer) -> None:
    issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())
    checks = tokens(issuer, Clock())
    assert status(checks.check(issuer.token().encode())) == 200
    assert status(checks.check(issuer.token("two", alg="ES256").encode())) == 200
    assert status(checks.check(issuer.token(aud=["x", "other"]).encode())) == 200
    assert issuer.fetched == 1


def test_clocks_may_differ_by_a_minute(issuer: Issuer) -> None:
    checks, now = tokens(issuer, Clock()), time.time()
    assert status(checks.check(issuer.token(exp=now - LEEWAY_SECONDS / 2).encode())) == 200
    assert status(checks.check(issuer.token(nbf=now + LEEWAY_SECONDS / 2).encode())) == 200


@pytest.mark.parametrize(
    "claims",
    [
        *[{"exp": 1_000_000_000}, {"exp": None}, {"exp": "later"}, {"nbf": 100_000_000_000}],
        *[{"aud": "api://another"}, {"aud": None}, {"aud": []}, {"iss": "https://another.example"}, {"iss": None}],
    ],
    ids=str,
)
def test_a_token_for_another_time_or_service_or_of_another_issuer_is_refused(
    claims: dict[str, object], issuer: Issuer
) -> None:
    assert status(tokens(issuer, Clock()).check(issuer.token(**claims).encode())) == 401  # type: ignore[arg-type]


def test_no_token_that_the_issuer_has_not_signed_is_good(issuer: Issuer) -> None:
    checks, good = tokens(issuer, Clock()), issuer.token()
    head, body, signature = good.split(".")
    pem = issuer.keys["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    symmetric = encoded({"alg": "HS256", "kid": "one", "typ": "JWT"}) + "." + body
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = {
        "tampered": f"{head}.{encoded(claims | {'sub': 'you'})}.{signature}",
        "by another's key": issuer.token(by=new_rsa()),
        "cut": good[:-10],
        "no signature": f"{head}.{body}.",
        "none": encoded({"alg": "none", "kid": "one"}) + f".{body}.",
        "None": encoded({"alg": "None", "kid": "one"}) + f".{body}.",
        "HS256 by the public key": symmetric + "." + signed(symmetric, pem),
        "HS256 by an empty key": symmetric + "." + signed(symmetric, b""),
        "another algorithm": issuer.token(alg="RS512"),
        "PS256": issuer.token(alg="PS256"),
        "said to be of a curve": encoded({"alg": "ES256", "kid": "one"}) + f".{body}.{signature}",
        "no kid": encoded({"alg": "RS256"}) + f".{body}.{signature}",
        "a kid that is no text": encoded({"alg": "RS256", "kid": ["one"]}) + f".{body}.{signature}",
        "its own key": encoded({"alg": "RS256", "kid": "one", "jwk": public("one", new_rsa())})
        + f".{body}.{signature}",
        "not JSON": "e30.e30x.e30",
        "nothing": "..",
        "bytes": "\xff.\xff.\xff",
        "large": f"{head}.{body}{'A' * 20_000}.{signature}",
    }
    assert {name: status(checks.check(token.encode("latin-1"))) for name, token in forged.items()} == dict.fromkeys(
        forged, 401
    )
    assert status(checks.check(good.encode())) == 200


def encoded(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def signed(text: str, key: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).rstrip(b"=").decode()


def test_a_symmetric_key_in_the_issuers_set_signs_nothing(issuer: Issuer) -> None:
    secret, own = b"s" * 32, new_rsa()
    issuer.keys["one"] = own
    issuer.more = [
        {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(secret).decode(), "alg": "HS256"},
        {**public("encrypts", issuer.keys["one"]), "use": "enc"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {**json.loads(RSAAlgorithm.to_jwk(own)), "kid": "private", "use": "sig", "key_ops": ["verify"]},
        {"kty": "RSA", "kid": "no text", "n": 5, "e": "AQAB"},
        {"kty": "RSA", "kid": "too small", "n": "AQAB", "e": "AQ"},
    ]
    checks = tokens(issuer, Clock())
    text = f"{encoded({'alg': 'HS256', 'kid': 'shared'})}.{issuer.token().split('.')[1]}"
    assert status(checks.check(f"{text}.{signed(text, secret)}".encode())) == 401
    assert status(checks.check(issuer.token("encrypts", by=issuer.keys["one"]).encode())) == 401
    # An issuer that has published too much has published enough.
    assert status(checks.check(issuer.token("private", by=issuer.keys["one"]).encode())) == 200
    assert status(checks.check(issuer.token().encode())) == 200


def test_a_new_key_is_fetched_for_but_not_for_whoever_thinks_one_up(issuer: Issuer) -> None:
    clock = Clock()
    checks = tokens(issuer, clock)
    assert status(checks.check(issuer.token().encode())) == 200
    stranger = new_rsa()
    for number in range(20):
        assert status(checks.check(issuer.token(f"made up {number}", by=stranger).encode())) == 401
    assert issuer.fetched == 1
    issuer.keys = {"two": new_rsa()}
    assert status(checks.check(issuer.token("two").encode())) == 401
    clock.now += RETRY_SECONDS
    assert status(checks.check(issuer.token("two").encode())) == 200
    assert issuer.fetched == 2
    # What the issuer has withdrawn is good no longer, though it was found good before.
    assert not checks.remembers(issuer.token("two", exp=time.time() + 1).encode())


def test_during_an_outage_the_keys_of_before_stay(issuer: Issuer) -> None:
    clock = Clock()

    async def all_of_it() -> None:
        keys = IssuerKeys(issuer.url, LOG, clock)
        checks = Tokens(keys, issuer.url, [AUDIENCE], frozenset(), frozenset())
        issuer.away = True
        assert await _status(checks.check(issuer.token().encode())) == 503
        issuer.away = False
        clock.now += RETRY_SECONDS
        watching = asyncio.create_task(keys.watch())
        while not keys.known:
            await asyncio.sleep(0.01)
        good = issuer.token().encode()
        assert await _status(checks.check(good)) == 200
        assert checks.remembers(good)
        issuer.away = True
        clock.now += FRESH_SECONDS
        await keys.fetch()
        assert await _status(checks.check(issuer.token().encode())) == 200
        assert checks.remembers(good)
        issuer.away = False
        issuer.keys = {"two": new_rsa()}
        await keys.fetch()
        assert not checks.remembers(good)
        assert await _status(checks.check(good)) == 401
        watching.cancel()

    asyncio.run(all_of_it())


def test_who_asks_at_the_same_time_waits_for_one_fetch(issuer: Issuer) -> None:
    async def all_of_it() -> list[int]:
        checks = tokens(issuer, Clock())
        return await asyncio.gather(*(_status(checks.check(issuer.token().encode())) for _ in range(10)))

    assert asyncio.run(all_of_it()) == [200] * 10
    assert issuer.fetched == 1


def test_an_issuer_that_calls_itself_otherwise_is_not_believed(issuer: Issuer) -> None:
    issuer.calls_itself = "https://another.example"
    assert status(tokens(issuer, Clock()).check(issuer.token().encode())) == 503
    assert issuer.fetched == 0


GARBAGE = {
    "no HTTP": b"what is this\r\n\r\n",
    "a broken chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{",
    "a chunk of no size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{}",
    "nothing": b"",
    "no JSON": b"HTTP/1.1 200 OK\r\n\r\n<html>",
    "no text": b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\xfd",
    "deep": b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
    "elsewhere": b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n",
    "without end": b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000,
}
DRIPPING = {
    "a status": (b"HTTP/1.1 200 ", b"O"),
    "headers": (b"HTTP/1.1 200 OK\r\nx: ", b"x"),
    "a body": (b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n{", b" "),
    "chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n \r\n"),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_whatever_an_issuer_answers_it_is_an_outage(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def all_of_it(stranger: Answering) -> None:
        keys = IssuerKeys(stranger.url, LOG)
        checks = Tokens(keys, stranger.url, [AUDIENCE], frozenset(), frozenset())
        assert await _status(checks.check(unknown(stranger.url))) == 503
        before = stranger.asked
        await keys.fetch()
        assert stranger.asked == before + 1

    with Answering(garbage) as stranger:
        asyncio.run(asyncio.wait_for(all_of_it(stranger), WAIT_SECONDS))
    # It is said once, however long it goes on.
    (said,) = caplog.messages
    assert said.startswith(f"The keys of {stranger.url} cannot be fetched, no token can be checked: ")
    assert len(said) < 800


def unknown(issuer: str) -> bytes:
    """A token by a key that nobody has."""
    return jwt.encode({"iss": issuer}, new_rsa(), algorithm="RS256", headers={"kid": "one"}).encode()


@pytest.mark.parametrize(("begin", "then"), DRIPPING.values(), ids=DRIPPING)
def test_an_issuer_that_drips_is_not_listened_to_for_ever(
    begin: bytes, then: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(issuer_keys, "TIMEOUT_SECONDS", 0.3)
    threads = {*threading.enumerate()}

    def fetching() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one not in threads and one.name != Answering.THREADS]

    with Answering(begin, then) as stranger:
        asyncio.run(asyncio.wait_for(IssuerKeys(stranger.url, LOG).fetch(), WAIT_SECONDS))
        assert "cannot be fetched, no token can be checked: it took longer than 0.3 s" in caplog.text
        # It still drips: it is the thread that has had enough.
        wait_until(lambda: not fetching())


def test_a_name_that_is_looked_up_for_ever_holds_up_nothing(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(issuer_keys, "TIMEOUT_SECONDS", 0.3)
    answered = threading.Event()

    def hanging(*_: Any, **__: Any) -> Any:
        answered.wait()
        raise socket.gaierror("too late")

    async def all_of_it() -> bool:
        keys = IssuerKeys(issuer.url, LOG)
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", hanging)
            await keys.fetch()
        assert "it took longer than 0.3 s" in caplog.text
        monkeypatch.setattr(issuer_keys, "TIMEOUT_SECONDS", WAIT_SECONDS)
        await keys.fetch()
        return keys.known

    # asyncio.run() would wait for a thread of the loop's own.
    assert asyncio.run(all_of_it())
    answered.set()


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"roles": ["Score.All"]}, 200),
        ({"scp": "read score"}, 200),
        ({"scope": "score"}, 200),
        ({"roles": ["Other"]}, 403),
        ({"roles": "Score.All"}, 403),
        ({}, 403),
        ({"roles": ["Score.All"], "azp": "another"}, 403),
        ({"roles": ["Score.All"], "azp": None, "appid": "app"}, 200),
    ],
)
def test_roles_scopes_and_applications(claims: dict[str, object], expected: int, issuer: Issuer) -> None:
    checks = tokens(issuer, Clock(), permissions="Score.All score", clients="app")
    assert status(checks.check(issuer.token(**{"azp": "app", **claims}).encode())) == expected  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Issuer]]:
    folder = tmp_path_factory.mktemp("tokens")
    issuer = Issuer()
    with serving(cwd=folder) as serve:
        words = [str(write_bundle(folder / "b", OBEDIENT)), "--token-issuer", issuer.url, "--token-audience", AUDIENCE]
        more = {"SCOREWRIGHT_PRIMARY_KEY": KEY, "SCOREWRIGHT_TOKEN_PERMISSIONS": "Score.All"}
        server = serve(*words, "--http-workers", "2", **more).ready()
        server.line("The keys of .* have been fetched: 1")
        wait_until(lambda: issuer.fetched >= 2)
        yield server, issuer
    issuer.close()


def test_the_service_takes_a_token_or_a_key(served: tuple[Server, Issuer]) -> None:
    server, issuer = served

    def asked(credential: str) -> httpx.Response:
        return httpx.post(server.url + "/score", json={"echo": 5}, headers={"authorization": f"Bearer {credential}"})

    good = issuer.token(roles=["Score.All"])
    for _ in range(10):
        assert asked(good).json() == asked(KEY).json() == 5
    expired = asked(issuer.token(roles=["Score.All"], exp=time.time() - 3600))
    assert (expired.status_code, expired.json()) == (401, {"message": "The token has expired."})
    other = asked(issuer.token(roles=["Score.All"], by=new_rsa()))
    assert (other.status_code, other.json()) == (401, {"message": "The token is not good for this service."})
    may_not = asked(issuer.token())
    assert (may_not.status_code, may_not.json()) == (403, {"message": "The token is good, but does not allow this."})
    assert may_not.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
    assert asked("a.b.c").status_code == asked("neither").status_code == 401
    assert good not in server.log


def test_a_new_key_of_the_issuers_is_taken_by_every_front(served: tuple[Server, Issuer]) -> None:
    server, issuer = served
    issuer.keys["new"] = new_rsa()
    token = issuer.token("new", roles=["Score.All"])

    def good() -> bool:
        asked = {"authorization": f"Bearer {token}"}
        return all(httpx.get(server.url + "/openapi.json", headers=asked).status_code == 200 for _ in range(12))

    wait_until(good)


def test_a_service_whose_issuer_is_away_says_so_and_takes_keys(tmp_path: Path) -> None:
    issuer = Issuer()
    issuer.away = True
    with serving(cwd=tmp_path) as serve:
        words = [
            str(write_bundle(tmp_path / "b", OBEDIENT)),
            "--token-issuer",
            issuer.url,
            "--token-audience",
            AUDIENCE,
        ]
        server = serve(*words, SCOREWRIGHT_PRIMARY_KEY=KEY).ready()
        server.line("WARNING .*cannot be fetched, no token can be checked: HTTP Error 503")
        asked = {"authorization": f"Bearer {issuer.token()}"}
        refused = httpx.post(server.url + "/score", json={"echo": 1}, headers=asked)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        with_key = httpx.post(server.url + "/score", json={"echo": 1}, headers={"authorization": f"Bearer {KEY}"})
        assert with_key.json() == 1
    issuer.close()


def test_a_service_whose_issuer_drips_stops_when_it_is_told_to(tmp_path: Path) -> None:
    with Answering(*DRIPPING["headers"]) as stranger, serving(cwd=tmp_path) as serve:
        bundle = str(write_bundle(tmp_path / "b", OBEDIENT))
        server = serve(bundle, "--token-issuer", stranger.url, "--token-audience", AUDIENCE).ready()
        wait_until(lambda: stranger.asked > 0)
        assert server.end() == 0
        server.line("Stopped: every accepted request has been answered.")


def test_a_request_to_a_service_whose_issuer_speaks_no_http_is_answered(tmp_path: Path) -> None:
    with Answering(GARBAGE["no HTTP"]) as stranger, serving(cwd=tmp_path) as serve:
        bundle = str(write_bundle(tmp_path / "b", OBEDIENT))
        server = serve(bundle, "--token-issuer", stranger.url, "--token-audience", AUDIENCE).ready()
        asked = {"authorization": f"Bearer {unknown(stranger.url).decode()}"}
        refused = httpx.post(server.url + "/score", json={"echo": 1}, headers=asked)
        assert (refused.status_code, "message" in refused.json()) == (503, True)
        server.line("WARNING .*cannot be fetched, no token can be checked: it answered something that is no HTTP")
        assert server.end() == 0
        wait_until(lambda: server.finished)
        assert "Traceback" not in server.log
