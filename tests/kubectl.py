"""kubectl, for the tests that need the real one."""

from __future__ import annotations

import os
import shutil

import pytest


def require_kubectl() -> None:
    """Skip the test where there is no kubectl; on CI that is a failure."""
    if shutil.which("kubectl"):
        return
    if os.environ.get("CI"):
        pytest.fail("kubectl is not installed")
    pytest.skip("kubectl is not installed")
