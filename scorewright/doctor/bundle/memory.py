"""Whether as many scorers as are asked for fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.bundle import MODEL_FOLDER
from scorewright.doctor import memory
from scorewright.doctor.bundle.trial import Started
from scorewright.doctor.finding import Check, Outcome, skipped
from scorewright.doctor.words import megabytes
from scorewright.errors import BundleError

if TYPE_CHECKING:
    from scorewright.doctor.bundle.patient import Patient


def look(patient: Patient) -> Outcome:
    if isinstance(patient.bundle, BundleError):
        return skipped("the bundle is not whole")
    started = patient.started
    if isinstance(started, Started) and started.memory is not None:
        measured = f"a scorer with the model has {megabytes(started.memory)} of its own"
        return memory.judge(patient.wanted, started.memory, measured)
    bundle = patient.bundle
    names = [name for name in bundle.manifest.files if name.startswith(f"{MODEL_FOLDER}/")]
    size = sum(bundle.path(name).stat().st_size for name in names)
    return memory.judge(patient.wanted, size, f"the model's files have {megabytes(size)}, loaded it was not")


CHECK: Check[Patient] = Check("memory", "what the scorers asked for take, against what there is", look)
