"""Whether the service's port is free."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped, warning

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted


def look(wanted: Wanted) -> Outcome:
    place = f"{wanted.host}:{wanted.port}"
    if wanted.port == 0:
        return ok("a free one is taken")
    try:
        kind, _, _, _, address = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            weigh = failed if wanted.port_given else warning
            return weigh(
                f"{place} is taken: somebody listens there, maybe a service of yours",
                "Serve on another with --port (0 takes a free one), or end what has it "
                f"(`ss -ltnp 'sport = :{wanted.port}'` names it).",
            )
        if error.errno == errno.EACCES:
            return failed(f"{place} is for root alone", "Take a port from 1024 on, with --port.")
        return skipped(f"{place}: {error.strerror or error}", "Is SCOREWRIGHT_HOST an address of this machine?")
    return ok(f"{place} is free")


CHECK: Check[Wanted] = Check("port", "the port that the service listens on", look)
