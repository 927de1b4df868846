"""A page that two processes share."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

from scorewright.service.status import Status


def test_a_fresh_page_asks_for_nothing() -> None:
    status = Status.create()
    assert (status.due_at, status.answered, status.closed) == (math.inf, 0, False)
    status.close()
    assert status.closed


def test_what_one_process_tells_another_reads() -> None:
    status = Status.create()
    due = time.monotonic() + 5
    tell = (
        "import sys; from scorewright.service.status import Status; "
        "status = Status(int(sys.argv[1])); status.count(1); status.count(3); "
        "status.begin(3); status.due(float(sys.argv[2]))"
    )
    words = [sys.executable, "-c", tell, str(status.descriptor), repr(due)]
    subprocess.run(words, pass_fds=[status.descriptor], check=True)
    assert (status.due_at, status.answered, status.begun(3), status.begun(0)) == (due, 4, 1, 0)
    status.idle()
    assert (status.due_at, status.answered) == (math.inf, 4)
    status.close()
    assert not Path(f"/proc/self/fd/{status.descriptor}").exists()


def test_what_is_read_is_never_half_of_what_is_written() -> None:
    status = Status.create()
    write = (
        "import sys, time; from scorewright.service.status import Status; status = Status(int(sys.argv[1]))\n"
        "until = time.monotonic() + 2\n"
        "while time.monotonic() < until:\n    status.due(1e9)\n    status.idle()\n"
    )
    words = [sys.executable, "-c", write, str(status.descriptor)]
    with subprocess.Popen(words, pass_fds=[status.descriptor]) as writer:
        seen = set()
        while writer.poll() is None:
            seen |= {status.due_at for _ in range(10_000)}
    assert seen == {1e9, math.inf}
    status.close()
