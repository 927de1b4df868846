"""The wire format: what goes in comes out, however it is cut on its way."""

from __future__ import annotations

import io
import itertools

from hypothesis import given
from hypothesis import strategies as st

from scorewright.service import frames
from scorewright.service.frames import JSON_HEADERS, End, Frames, Kind, Piece, Scored

ids = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=100).map(str.encode)
requests = st.lists(st.tuples(ids, st.binary(max_size=50), st.binary(max_size=300)), max_size=8)
tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=10).map(str.encode)
values = st.binary(max_size=20).filter(lambda value: b"\n" not in value)
answers = st.lists(
    st.builds(
        Scored,
        st.integers(0, 2**32 - 1),
        st.integers(200, 599),
        st.booleans(),
        st.floats(allow_nan=False),
        st.one_of(st.just(JSON_HEADERS), st.lists(st.tuples(tokens, values), max_size=4)),
        st.binary(max_size=300),
        st.booleans(),
    ),
    max_size=8,
)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


@given(requests)
def test_requests_come_out_as_they_went_in(sent: list[tuple[bytes, bytes, bytes]]) -> None:
    frame = frames.read(io.BytesIO(b"".join(frames.pack_requests(sent))))
    assert frame is not None
    kind, payload = frame
    assert kind is Kind.SCORE
    assert [(item.id.encode(), bytes(item.head), bytes(item.body)) for item in frames.unpack_requests(payload)] == sent


@given(st.lists(answers, max_size=3), st.lists(st.integers(0, 10_000), max_size=6))
def test_answers_come_out_as_they_went_in_however_they_are_cut(sent: list[list[Scored]], at: list[int]) -> None:
    stream = b"".join(piece for batch in sent for piece in frames.pack_scored(batch))
    reader = Frames()
    came = [frame for data in cut(stream, at) for frame in reader.feed(data)]
    assert [list(frames.unpack_scored(payload)) for _, payload in came] == sent


@given(st.integers(0, 2**32 - 1), st.sampled_from(End), st.binary(max_size=300))
def test_pieces_come_out_as_they_went_in(number: int, end: End, body: bytes) -> None:
    frame = frames.read(io.BytesIO(frames.pack_piece(Piece(number, end, body))))
    assert frame is not None
    assert (frame[0], frames.unpack_piece(frame[1])) == (Kind.PIECE, Piece(number, end, body))
    cancel = frames.read(io.BytesIO(frames.pack_cancel(number)))
    assert cancel is not None
    assert (cancel[0], frames.unpack_cancel(cancel[1])) == (Kind.CANCEL, number)


def test_a_stream_that_ends_within_a_frame_is_an_ended_stream() -> None:
    whole = frames.pack(Kind.READY, b"\x01")
    assert frames.read(io.BytesIO(whole)) == (Kind.READY, b"\x01")
    assert all(frames.read(io.BytesIO(whole[:end])) is None for end in range(len(whole)))
