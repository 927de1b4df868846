"""Azurite, which stands in for Azure Blob Storage, and a line to it that can be cut."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import pytest
from azure.storage.blob import BlobServiceClient

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[3] / ".cache" / "azurite"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # it is public
_BUSY = b"HTTP/1.1 503 Server Busy\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Azurite:
    """A running Azurite."""

    port: int

    def connection_string(self, *, port: int | None = None, key: str = KEY) -> str:
        """As AZURE_STORAGE_CONNECTION_STRING has it; `port` is another way to it."""
        endpoint = f"http://127.0.0.1:{port or self.port}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"

    @property
    def client(self) -> BlobServiceClient:
        """Azure's own client, to look at what we did."""
        return cast("BlobServiceClient", BlobServiceClient.from_connection_string(self.connection_string()))

    def container(self, name: str) -> str:
        """A new container."""
        with self.client as client:
            client.create_container(name)
        return name


@contextlib.contextmanager
def running() -> Iterator[Azurite]:
    """Start it at a free port. Without it the test is skipped, on CI it fails."""
    script = FOLDER / "node_modules" / ".bin" / "azurite-blob"
    if not script.exists() or shutil.which("node") is None:
        missing = f"Azurite is not installed in {FOLDER}: install npm, then make .cache/azurite/.done"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    command = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobPort", "0"]
    with subprocess.Popen([str(script), *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Azurite(_port(cast("IO[str]", process.stdout)))
        finally:
            process.terminate()
            process.communicate()


def _port(log: IO[str]) -> int:
    for line in log:
        if found := re.search(r"listens on http://[\d.]+:(\d+)", line):
            return int(found[1])
    raise AssertionError("Azurite ended before it listened")


class Line:
    """A TCP line to a port of this machine. It can be cut in the midst of what is sent, or answer that it is busy."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._lock = threading.Lock()
        self._cuts = {"up": 0, "down": 0}
        self._after = 0
        self._busy = 0
        self.cuts = 0
        """How often it was cut."""
        self.refusals = 0
        """How often it has answered that it is busy."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, direction: str, *, after: int, times: int) -> None:
        """Cut the next `times` connections when `after` bytes have gone "up" to the server, or "down" from it."""
        with self._lock:
            self._cuts[direction], self._after = times, after

    def busy(self, times: int) -> None:
        """Answer the next `times` connections with 503."""
        with self._lock:
            self._busy = times

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                with self._lock:
                    busy, self._busy = self._busy > 0, max(self._busy - 1, 0)
                    self.refusals += busy
                if busy:
                    client.recv(1 << 16)
                    client.sendall(_BUSY)
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._pump, args=(client, server, "up"), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, "down"), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                sent += len(data)
                with self._lock:
                    cut = self._cuts[direction] > 0 and sent > self._after
                    if cut:
                        self._cuts[direction] -= 1
                        self.cuts += 1
                if cut:
                    for end in (source, target):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
