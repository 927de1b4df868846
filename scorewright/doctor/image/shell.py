"""Whether the image would run without a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok, skipped, warning

if TYPE_CHECKING:
    from scorewright.doctor.image.picture import Picture


SHELLS = ("/bin/sh", "sh", "/bin/bash", "bash", "/bin/ash", "/bin/dash")


def look(picture: Picture) -> Outcome:
    command = [*(picture.config.get("Entrypoint") or []), *(picture.config.get("Cmd") or [])]
    test = (picture.config.get("Healthcheck") or {}).get("Test") or []
    if not command:
        return skipped("it has no command of its own")
    by_shell = [
        what
        for what, needs in (
            ("its command", command[0] in SHELLS or command[0].endswith(".sh")),
            ("its health check", test[:1] == ["CMD-SHELL"]),
        )
        if needs
    ]
    if by_shell:
        return warning(
            f"{' and '.join(by_shell)} need a shell, which whoever breaks in would find, too",
            "Write CMD and HEALTHCHECK as lists of words, as the Dockerfile of `scorewright build` does.",
        )
    return ok(f"neither {' '.join(command[:3])} nor its health check needs one")


CHECK: Check[Picture] = Check("shell", "that it needs no shell", look)
