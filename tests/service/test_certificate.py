"""TLS with real clients: what is served, what is refused, and another certificate without a restart."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import signal
import socket
import ssl
import warnings
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from tests.service.servers import OBEDIENT, WAIT_SECONDS, connected, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from tests.service.servers import Serve


def write_pair(folder: Path, name: str = "tls", *, password: bytes | None = None) -> tuple[Path, Path]:
    """A new self-signed certificate for 127.0.0.1 and localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    (folder / "tls.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    (folder / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return folder / "tls.crt", folder / "tls.key"


def served(port: int, name: str | None) -> str:
    """The certificate that the service shows to a client that names a host, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


@pytest.mark.parametrize("fronts", ["1", "3"])
def test_https_and_another_certificate_without_a_restart(fronts: str, tmp_path: Path, serve: Serve) -> None:
    certificate, key = write_pair(tmp_path / "tls")
    first = certificate.read_text()
    words = [str(write_bundle(tmp_path / "b", OBEDIENT)), "--http-workers", fronts]
    server = serve(*words, "--tls-cert", str(certificate), "--tls-key", str(key)).listening()
    assert server.url.startswith("https://127.0.0.1:")
    wait_until(lambda: len(server.fronts()) == int(fronts) - 1)
    port = httpx.URL(server.url).port or 0
    with httpx.Client(
        base_url=server.url, verify=ssl.create_default_context(cadata=first), timeout=WAIT_SECONDS
    ) as old:
        wait_until(lambda: old.get("/readyz").status_code == 200)
        assert old.post("/score", json={"echo": 3}).json() == 3
        large = "x" * 3_000_000
        assert old.post("/score", json={"echo": large}).json() == large
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/livez", timeout=WAIT_SECONDS)
        # First the certificate alone, which is not the old key's.
        other, other_key = write_pair(tmp_path / "other")
        second = other.read_text()
        certificate.write_text(second)
        server.line("The new TLS certificate is not taken, the one of before stays: the key is not the certificate's")
        assert served(port, "localhost") == first
        key.write_bytes(other_key.read_bytes())
        for _ in range(int(fronts)):
            wait_until(lambda: all(served(port, name) == second for name in ["localhost", None] * 6))
        # Who is connected stays so.
        assert old.post("/score", json={"echo": 4}).json() == 4
    trusting = ssl.create_default_context(cadata=second)
    assert httpx.post(server.url + "/score", json={"echo": 5}, verify=trusting).json() == 5
    assert server.end() == 0


def test_a_front_that_is_replaced_has_the_pair_of_before_and_follows_the_files(tmp_path: Path, serve: Serve) -> None:
    certificate, key = write_pair(tmp_path / "tls")
    first, secret = certificate.read_text(), key.read_text()
    words = [str(write_bundle(tmp_path / "b", OBEDIENT)), "--http-workers", "2"]
    server = serve(*words, "--tls-cert", str(certificate), "--tls-key", str(key)).listening()
    wait_until(lambda: len(server.fronts()) == 1)
    other, other_key = write_pair(tmp_path / "other")
    second = other.read_text()
    certificate.write_text(second)
    wait_until(lambda: len(re.findall("The new TLS certificate is not taken", server.log)) == 2)
    (former,) = server.fronts()
    os.kill(former, signal.SIGKILL)
    wait_until(lambda: server.fronts() not in ([], [former]))
    (fresh,) = server.fronts()
    with contextlib.ExitStack() as stack:
        # Only the certificate of before is trusted.
        theirs = connected(stack, server, fresh, ssl.create_default_context(cadata=first))
        assert theirs.get("/livez").status_code == 200
        key.write_bytes(other_key.read_bytes())
        wait_until(lambda: len(re.findall("The TLS certificate has changed", server.log)) == 2)
        new = connected(stack, server, fresh, ssl.create_default_context(cadata=second))
        assert new.get("/livez").status_code == 200
    assert server.fronts() == [fresh]
    middle = secret.splitlines()[1]
    told = [Path(f"/proc/{fresh}/{what}").read_bytes() for what in ("cmdline", "environ")]
    assert not any(middle.encode() in one for one in told)
    assert middle not in server.log


def test_old_versions_of_tls_are_refused(tmp_path: Path, serve: Serve) -> None:
    certificate, key = write_pair(tmp_path / "tls")
    words = [str(write_bundle(tmp_path / "b", OBEDIENT)), "--tls-cert", str(certificate), "--tls-key", str(key)]
    port = httpx.URL(serve(*words).listening().url).port or 0
    for version, taken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.options &= ~ssl.OP_NO_TLSv1_1
        with warnings.catch_warnings(action="ignore"):
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as plain:
            if taken:
                assert context.wrap_socket(plain).version() == "TLSv1.2"
            else:
                with pytest.raises(ssl.SSLError):
                    context.wrap_socket(plain)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("mismatch", "the key is not the certificate's"),
        ("no pem", "one of them is no PEM file"),
        ("swapped", "one of them is no PEM file"),
        ("encrypted", "tls.key cannot be used for TLS"),
        ("missing", "No such file or directory"),
    ],
)
def test_a_wrong_pair_is_refused_at_the_start(case: str, said: str, tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path / "tls", password=b"secret" if case == "encrypted" else None)
    if case == "mismatch":
        _, key = write_pair(tmp_path / "other")
    if case == "no pem":
        certificate.write_text("nothing")
    if case == "swapped":
        certificate, key = key, certificate
    if case == "missing":
        key.unlink()
    with serving(cwd=tmp_path) as serve:
        words = [str(write_bundle(tmp_path / "b", OBEDIENT)), "--tls-cert", str(certificate), "--tls-key", str(key)]
        server = serve(*words)
        assert server.process.wait(WAIT_SECONDS) == 2
        wait_until(lambda: server.finished)
        assert "cannot be used for TLS" in server.log
        assert said in server.log
        assert "Traceback" not in server.log
