"""The scorer's sockets: frames of any size, nothing read ahead, and further ones as they are given."""

from __future__ import annotations

import socket
import threading

from scorewright.service import frames
from scorewright.service.channel import Channel, Channels
from scorewright.service.frames import Kind


def test_frames_of_any_size_come_one_by_one_and_nothing_is_read_ahead() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(theirs)
        assert not channel.waits()
        large = bytes(range(256)) * 20_000
        sent = [(Kind.SCORE, b""), (Kind.CANCEL, b"x"), (Kind.PIECE, large), (Kind.READY, b"end")]
        writer = threading.Thread(target=ours.sendall, args=[b"".join(frames.pack(*frame) for frame in sent)])
        writer.start()
        assert [channel.read(), channel.read()] == sent[:2]
        assert channel.read() == sent[2]
        writer.join()
        assert channel.waits()
        assert channel.read() == sent[3]
        assert not channel.waits()


def test_an_end_amid_a_frame_is_an_end() -> None:
    whole = frames.pack(Kind.READY, b"payload")
    for length in range(len(whole)):
        ours, theirs = socket.socketpair()
        with theirs:
            ours.sendall(whole[:length])
            ours.close()
            assert Channel(theirs).read() is None


def test_the_other_end_that_closes_without_reading_is_an_end() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"never read")
        ours.close()
        assert Channel(theirs).read() is None


def test_further_fronts_are_heard_each_in_turn_until_the_main_one_is_gone() -> None:
    main, mains = socket.socketpair()
    control, controls = socket.socketpair()
    further, furthers = socket.socketpair()
    with mains, control, controls, further:
        heard = Channels(Channel(mains), Channel(controls)).frames()
        socket.send_fds(control, [frames.pack_json(Kind.CHANNEL, 3)], [furthers.fileno()])
        furthers.close()
        main.sendall(frames.pack(Kind.SCORE, b"main 1") + frames.pack(Kind.SCORE, b"main 2"))
        first = next(heard)
        further.sendall(frames.pack(Kind.SCORE, b"further"))
        rest = [next(heard), next(heard)]
        assert first[2] == b"main 1"
        assert {payload for _, _, payload in rest} == {b"main 2", b"further"}
        answering = next(channel for channel, _, payload in rest if payload == b"further")
        assert (answering.front, first[0].front) == (3, 0)
        answering.send([b"to ", b"further"])
        assert further.recv(100) == b"to further"
        further.close()
        main.sendall(frames.pack(Kind.SCORE, b"main 3"))
        assert next(heard)[2] == b"main 3"
        main.close()
        assert list(heard) == []
