"""Whether this shell is logged in to Azure. Nothing here waits for longer than PATIENCE."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped, warning

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted

PATIENCE = 15
"""Seconds that each way of asking has."""

VARIABLES = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET")

LOG_IN = f"az login, or the variables {', '.join(VARIABLES)}"

# In a process of its own: azure-identity retries for minutes, and no thread could be ended.
_ASK = """
import sys
from azure.core.exceptions import AzureError
from azure.identity import EnvironmentCredential
try:
    EnvironmentCredential(retry_total=0).get_token("https://management.azure.com/.default")
except AzureError as error:
    sys.exit(str(error.message).strip().splitlines()[0])
"""


def look(_: Wanted) -> Outcome:
    if find_spec("azure") is None or find_spec("azure.identity") is None:
        return skipped("azure-identity is not installed; nothing is deployed to Azure from here", _INSTALL)
    if all(os.environ.get(name) for name in VARIABLES):
        return _by_variables()
    if set_ := [name for name in VARIABLES if os.environ.get(name)]:
        missing = [name for name in VARIABLES if name not in set_]
        return warning(f"{', '.join(set_)} is set, {', '.join(missing)} is not", f"Set all three, or none: {LOG_IN}")
    if shutil.which("az") is None:
        return skipped("the Azure CLI is not installed, and no service principal is in the environment", LOG_IN)
    return _by_cli()


def _by_variables() -> Outcome:
    try:
        asked = subprocess.run(
            [sys.executable, "-P", "-c", _ASK], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return warning(f"Azure has not answered in {PATIENCE} s", "Is there a way to it (a proxy, a firewall)?")
    if asked.returncode:
        said = (asked.stderr.strip().splitlines() or ["it does not say why"])[-1]
        secret = os.environ["AZURE_CLIENT_SECRET"]
        return failed(f"Azure refuses the service principal of the environment: {said.replace(secret, '***')}", LOG_IN)
    return ok(f"as the service principal {os.environ['AZURE_CLIENT_ID']}")


def _by_cli() -> Outcome:
    try:
        asked = subprocess.run(
            ["az", "account", "show", "--output", "json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return warning(
            f"`az account show` has not answered in {PATIENCE} s", "Run it by itself; it says what it waits for."
        )
    if asked.returncode:
        return warning("the Azure CLI is not logged in", LOG_IN)
    try:
        told = json.loads(asked.stdout)
        return ok(f"as {told['user']['name']}, subscription {told['name']}")
    except (ValueError, KeyError, TypeError):
        return warning("`az account show` answers what cannot be read", "Run it by itself.")


_INSTALL = "pip install 'scorewright[azure]'"

CHECK: Check[Wanted] = Check("azure-login", "the login to Azure", look)
