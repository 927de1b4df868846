"""The wire format: what goes in comes out, however it is cut on its way."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from scorewright.service import frames
from scorewright.service.frames import JSON_HEADERS, End, Frames, Kind, Outgoing, Piece, Scored

ids = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=100).map(str.encode)
times = st.floats(allow_nan=False)
requests = st.lists(
    st.builds(Outgoing, ids, st.binary(max_size=50), st.binary(max_size=300), times, times, ids), max_size=8
)
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
def test_requests_come_out_as_they_went_in(sent: list[Outgoing]) -> None:
    ((kind, payload),) = Frames().feed(b"".join(frames.pack_requests(sent)))
    assert kind is Kind.SCORE
    came = [
        Outgoing(
            item.id.encode(), bytes(item.head), bytes(item.body), item.deadline, item.budget_ms, item.trace.encode()
        )
        for item in frames.unpack_requests(payload)
    ]
    assert came == sent


@given(st.lists(answers, max_size=3), st.lists(st.integers(0, 10_000), max_size=6))
def test_answers_come_out_as_they_went_in_however_they_are_cut(sent: list[list[Scored]], at: list[int]) -> None:
    stream = b"".join(piece for batch in sent for piece in frames.pack_scored(batch))
    reader = Frames()
    came = [frame for data in cut(stream, at) for frame in reader.feed(data)]
    assert [list(frames.unpack_scored(payload)) for _, payload in came] == sent


@given(st.integers(0, 2**32 - 1), st.sampled_from(End), st.binary(max_size=300))
def test_pieces_come_out_as_they_went_in(number: int, end: End, body: bytes) -> None:
    piece, cancel = Frames().feed(frames.pack_piece(Piece(number, end, body)) + frames.pack_cancel(number))
    assert (piece[0], frames.unpack_piece(piece[1])) == (Kind.PIECE, Piece(number, end, body))
    assert (cancel[0], frames.unpack_cancel(cancel[1])) == (Kind.CANCEL, number)
