"""Kills the process that is about to take the Nth step: to make, change, rename or remove something below a folder.

Python imports this at the start of every process that finds it on its path. No step is taken twice: the file of
counts is one for all processes.
"""

import os
import signal
import sys

STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ROOT, COUNTS, NTH = (os.environ.get(name, "") for name in ("KILL_ROOT", "KILL_COUNTS", "KILL_NTH"))


def step(event, args):
    if event not in STEPS or not isinstance(args[0], str) or not args[0].startswith(ROOT):
        return
    if event == "open" and not args[2] & WRITING:
        return
    if "/logs/" in args[0] or args[0].endswith("/lock"):
        return  # not the job's own doing, or nothing to lose
    counts = os.open(COUNTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(counts, f"{event} {os.path.relpath(args[0], ROOT)}\n".encode().rjust(200)[-200:])
    taken = os.fstat(counts).st_size // 200
    os.close(counts)
    if taken == int(NTH):
        os.kill(os.getpid(), signal.SIGKILL)


if ROOT:
    sys.addaudithook(step)
