"""Whether the libraries here are those that made the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped
from scorewright.errors import BundleError

if TYPE_CHECKING:
    from scorewright.doctor.bundle.patient import Patient


def look(patient: Patient) -> Outcome:
    if isinstance(patient.bundle, BundleError):
        return skipped("the bundle is not whole")
    if patient.skew:
        return failed(
            "; ".join(patient.skew),
            f"pip install -r {patient.folder / 'requirements.txt'}, in a Python "
            f"{'.'.join(patient.bundle.manifest.versions.get('python', '').split('.')[:2])}; "
            "an image that `scorewright build` makes has them all.",
        )
    return ok(", ".join(f"{name} {number}" for name, number in patient.bundle.manifest.versions.items()))


CHECK: Check[Patient] = Check("versions", "this Python and its libraries, against those that made the model", look)
