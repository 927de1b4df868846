"""What a service is guarded by that may change while it runs: the keys of its clients, and its own certificate.

The main process reads them first and tells further fronts, so that one which is started again has what the others have,
whatever the files hold by then. Each front follows the files from there on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scorewright.service.certificate import Certificate
from scorewright.service.keys import Keys

if TYPE_CHECKING:
    import logging

    from scorewright.service.settings import Settings


class Credentials(NamedTuple):
    """Either is None if the settings name none."""

    keys: Keys | None
    certificate: Certificate | None

    @classmethod
    def of(cls, settings: Settings, logger: logging.Logger) -> Credentials:
        """Those of the settings. Raises UsageError for keys or a pair that cannot be used."""
        return cls(Keys.of(settings, logger), Certificate.of(settings, logger))

    @classmethod
    def of_told(cls, told: dict[str, Any], settings: Settings, logger: logging.Logger) -> Credentials:
        """Those that the main process has told of."""
        keys, certificate = told["keys"], told["certificate"]
        return cls(
            None if keys is None else Keys.of_told(keys, settings, logger),
            None if certificate is None else Certificate.of_told(certificate, settings, logger),
        )

    def told(self) -> dict[str, Any]:
        """What is in use now, as JSON carries it, and secret: for the service's own processes, over their sockets."""
        return {
            "keys": None if self.keys is None else self.keys.told(),
            "certificate": None if self.certificate is None else self.certificate.told(),
        }
