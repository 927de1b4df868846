"""Memory without a name, that processes share by handing over its descriptor."""

from __future__ import annotations

import os
import tempfile


def create(name: str, size: int) -> int:
    """The descriptor of so many zero bytes; `name` is what /proc shows."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - it has no use for a name
    os.ftruncate(descriptor, size)
    return descriptor
