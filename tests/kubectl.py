"""kubectl, for the tests that need the real one."""

from __future__ import annotations

import shutil

import pytest


def require_kubectl() -> None:
    """Skip the test where there is no kubectl: no package registry has one that is new enough to be installed."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl (1.27 or newer) is not installed, and Debian's is 1.20")
