"""gzip and deflate of bodies: what is read, what is refused, what is chosen."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.errors import RequestError
from scorewright.service.protocols import coding

LONG = b"0.25, " * 1000
LIMIT = 10_000


def bare(body: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(body) + squeezer.flush()


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_no_coding_leaves_a_body_alone(encoding: str) -> None:
    assert coding.inflate(LONG, encoding, 1) is LONG


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(LONG, mtime=0)),
        (" GZIP ", gzip.compress(LONG, mtime=0)),
        ("gzip", gzip.compress(LONG[:500], mtime=0) + gzip.compress(LONG[500:], mtime=0)),
        ("deflate", zlib.compress(LONG)),
        ("deflate", zlib.compress(LONG, 9)),
        ("deflate", bare(LONG)),
    ],
    ids=["gzip", "GZIP", "gzip in two members", "deflate", "deflate, level 9", "bare deflate"],
)
def test_codings_are_undone(encoding: str, body: bytes) -> None:
    assert coding.inflate(memoryview(body), encoding, len(LONG)) == LONG


@pytest.mark.parametrize(
    ("encoding", "body", "status", "message"),
    [
        ("gzip", gzip.compress(LONG, mtime=0)[:-9], 400, "The gzip data of the body ends too early."),
        ("gzip", b"", 400, "The gzip data of the body ends too early."),
        ("deflate", zlib.compress(LONG)[:-9], 400, "The deflate data of the body ends too early."),
        ("deflate", zlib.compress(LONG) + b"xy", 400, "The body goes on for 2 bytes after its deflate data."),
        ("gzip", b"{}", 400, "The body is not gzip data: Error -3 while decompressing data: incorrect header check."),
        ("br", LONG, 415, "Content-Encoding is 'br'; the service reads gzip, deflate and identity."),
        ("gzip, gzip", LONG, 415, "Content-Encoding is 'gzip, gzip'; the service reads gzip, deflate and identity."),
    ],
)
def test_what_cannot_be_undone_is_refused(encoding: str, body: bytes, status: int, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        coding.inflate(body, encoding, LIMIT)
    assert (caught.value.status, caught.value.message) == (status, message)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(LONG, mtime=0)),
        ("gzip", gzip.compress(LONG[: len(LONG) // 2], mtime=0) * 2),
        ("deflate", zlib.compress(LONG)),
        ("deflate", bare(LONG)),
        ("gzip", gzip.compress(bytes(50_000_000), 9, mtime=0)),
    ],
    ids=["gzip", "gzip in two members", "deflate", "bare deflate", "a bomb"],
)
def test_no_more_is_inflated_than_the_limit(encoding: str, body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        coding.inflate(body, encoding, len(LONG) - 1)
    assert caught.value.status == 413
    assert caught.value.message == "The request body is larger, once decompressed, than the service's limit."


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_are_inflated_or_refused(body: bytes, encoding: str) -> None:
    try:
        assert len(coding.inflate(body, encoding, 1000)) <= 1000
    except RequestError as error:
        assert error.status in (400, 413)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", None),
        ("identity", None),
        ("br, zstd", None),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("gzip; q=0, deflate", "deflate"),
        ("gzip;q=0", None),
        ("*", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("gzip;q=0, *", "deflate"),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=odd", None),
        ("gzip;q=2", None),
        ("gzip;q=nan", None),
        (";;,;q=1", None),
    ],
)
def test_what_the_client_likes_best_is_chosen(accept: str, chosen: str | None) -> None:
    body, name = coding.deflate(LONG, accept)
    assert name == chosen
    assert coding.inflate(body, name or "", len(LONG)) == LONG
    assert (len(body) < 100) == (chosen is not None)


def test_small_bodies_stay_as_they_are() -> None:
    assert coding.deflate(LONG[:1024], "gzip") == (LONG[:1024], None)
    assert coding.deflate(LONG[:1025], "gzip")[1] == "gzip"


def test_gzip_of_very_many_members_is_refused_before_it_costs_minutes() -> None:
    members = gzip.compress(b"", mtime=0) * 50_000
    with pytest.raises(RequestError, match="more than 10000 members") as refused:
        coding.inflate(members, "gzip", LIMIT)
    assert refused.value.status == 400


def test_gzip_larger_than_a_window_is_read_whole() -> None:
    parts = [bytes([number]) * 9 + bytes(range(256)) * 400 for number in range(3)]
    body = b"".join(gzip.compress(part, 0, mtime=0) for part in parts)
    assert coding.inflate(body, "gzip", 10**6) == b"".join(parts)
