"""Fixtures that start real servers; see servers.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.servers import Serve, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serving() as start:
        yield start


@pytest.fixture(scope="module")
def serve_once() -> Iterator[Serve]:
    """For servers that all tests of a module share."""
    with serving() as start:
        yield start
