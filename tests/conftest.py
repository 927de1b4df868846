"""Fixtures that more than one part's tests use."""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.command import Command, command_of
from tests.examples_run import Example, run_example
from tests.hand_made import hand_made_bundle

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.bundle import Bundle

# What CI says of a commit must not depend on its luck; new examples are looked for at every desk.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """By itself httpx reads the certificates anew for each call: 25 ms of a processor that others wait for."""
    if importlib.util.find_spec("httpx") is None:
        # The environment that has Azure ML's SDKs.
        yield
        return
    import httpx

    @functools.cache
    def read(verify: ssl.SSLContext | bool, trust_env: bool, *_: str | None) -> ssl.SSLContext:
        return httpx.create_ssl_context(verify, trust_env=trust_env)

    def kept(verify: ssl.SSLContext | bool = True, cert: None = None, trust_env: bool = True) -> ssl.SSLContext:
        assert cert is None
        return read(verify, trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", kept)
        yield


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `scorewright ...` and gives its exit code and output."""
    return command_of(monkeypatch, capsys)


@pytest.fixture
def hand_made(tmp_path: Path) -> Bundle:
    """A bundle made by hand, in the folder `bundle` of the test's own."""
    return hand_made_bundle(tmp_path / "bundle")


@pytest.fixture(scope="session")
def breast_cancer(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The decision-tree example, run once."""
    return run_example("breast_cancer", "breast-cancer", tmp_path_factory.mktemp("breast_cancer"))


@pytest.fixture(scope="session")
def cifar10(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The Keras example, run once."""
    return run_example("cifar10", "cifar10", tmp_path_factory.mktemp("cifar10"))
