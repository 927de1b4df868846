"""All checks of an image, in the order in which they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.image import age, health, label, platform, port, shell, size, user

if TYPE_CHECKING:
    from scorewright.doctor.finding import Check
    from scorewright.doctor.image.picture import Picture

CHECKS: tuple[Check[Picture], ...] = (
    platform.CHECK,
    user.CHECK,
    port.CHECK,
    health.CHECK,
    shell.CHECK,
    label.CHECK,
    size.CHECK,
    age.CHECK,
)
