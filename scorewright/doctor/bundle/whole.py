"""Whether the manifest is one, and every file what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok
from scorewright.errors import BundleError

if TYPE_CHECKING:
    from scorewright.doctor.bundle.patient import Patient


def look(patient: Patient) -> Outcome:
    if isinstance(patient.bundle, BundleError):
        raise patient.bundle
    manifest = patient.bundle.manifest
    return ok(f"{manifest.name}:{manifest.version}, {manifest.model.kind}; {len(manifest.files)} files unchanged")


CHECK: Check[Patient] = Check("files", "the manifest, and the hash of every file", look)
