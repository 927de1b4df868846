"""How pip is set up on this machine, as far as a build elsewhere needs it to reach the same packages."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from scorewright.errors import DockerError

FOLDER = "/src/pip"
"""Where the Dockerfile puts what `pip_files` returns."""

PASSED_ON = ("index-url", "extra-index-url", "trusted-host", "timeout", "default-timeout")

_LINE = re.compile(r"^(global|install|:env:)\.([a-z-]+)=(.+)$")


def pip_files() -> dict[str, bytes]:
    """pip.conf for the build, and ca.pem if this machine has certificates of its own for pip.

    Addresses on this machine's disk mean nothing inside a build and are left out. Raises DockerError for an
    address with a password: it would stay in the builder's cache.
    """
    settings = _settings()
    lines = ["[global]"]
    for key in PASSED_ON:
        value = " ".join(word for word in settings.get(key, "").split() if _reachable(key, word))
        if value:
            lines.append(f"{key} = {value}")
    content = {}
    certificates = settings.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if certificates and Path(certificates).is_file():
        content["ca.pem"] = Path(certificates).read_bytes()
        lines.append(f"cert = {FOLDER}/ca.pem")
    content["pip.conf"] = ("\n".join(lines) + "\n").encode()
    return content


def _settings() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        listed = ""
    # What pip itself would have read, where this environment has none (uv makes such).
    found = {
        (":env:", key): os.environ[name]
        for key in (*PASSED_ON, "cert")
        if (name := f"PIP_{key.replace('-', '_').upper()}") in os.environ
    }
    for line in listed.splitlines():
        if match := _LINE.match(line):
            section, key, value = match.groups()
            found[section, key] = str(ast.literal_eval(value))
    order = ("global", "install", ":env:")
    return {key: value for (_, key), value in sorted(found.items(), key=lambda item: order.index(item[0][0]))}


def _reachable(key: str, word: str) -> bool:
    if not key.endswith("index-url"):
        return True
    address = urlsplit(word)
    if address.password or address.username:
        raise DockerError(
            f"pip's {key} on this machine carries a user name or password for {address.hostname}.",
            hint="It would stay in the builder's cache. Set PIP_INDEX_URL to an address without one for this build.",
        )
    return address.scheme in ("http", "https")
