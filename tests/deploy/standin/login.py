"""Somebody who is logged in, and somebody who is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from tests.deploy.standin.server import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

AZ = """#!/bin/sh
# What azure-identity's AzureCliCredential asks of the Azure CLI.
echo "$@" >> "$(dirname "$0")/az.log"
case "$*" in
  *get-access-token*)
    echo '{"accessToken": "TOKEN", "expiresOn": "2099-01-01 00:00:00.000000", "tokenType": "Bearer",
           "subscription": "s", "tenant": "t"}' ;;
  *"account show"*) echo '{"id": "s", "name": "stand-in", "tenantId": "t"}' ;;
  *) echo "az: not understood: $*" >&2; exit 1 ;;
esac
"""
NOBODY = """#!/bin/sh
echo "ERROR: Please run 'az login' to setup account." >&2
exit 1
"""


class LoggedIn:
    """A credential whose token the stand-in takes."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(TOKEN, int(time.time()) + 3600)


class LoggedOut:
    """A credential that has no token to give."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise ClientAuthenticationError("Please run 'az login' to set up an account.")


def put_az(folder: Path, *, logged_in: bool = True) -> Path:
    """An `az` in `folder` that answers as the Azure CLI does to who is logged in, or is not."""
    folder.mkdir(exist_ok=True)
    script = folder / "az"
    script.write_text((AZ if logged_in else NOBODY).replace("TOKEN", TOKEN), "utf-8")
    script.chmod(0o755)
    return folder
