"""The Gateway API's own schemas, of its CRDs, as the npm package @kubernetes-models/gateway-api has them.

It is made from the CRDs of the releases (MIT). What a schema does not know it passes over.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "@kubernetes-models/gateway-api@2.0.0"
CACHE = Path(__file__).parents[2] / ".cache" / "gateway-api"
SCRIPT = """
const group = "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/";
const found = JSON.parse(require("fs").readFileSync(0, "utf8"));
(async () => {
  const faults = [];
  for (const one of found) {
    const kind = (await import(group + one.kind))[one.kind];
    try { await new kind(one).validate(); } catch (error) { faults.push(one.kind + ": " + error.message); }
  }
  console.log(JSON.stringify(faults));
})();
"""


def faults_of(objects: list[dict[str, Any]]) -> list[str]:
    """What the schemas find wrong with Gateways and HTTPRoutes. Skips the test where npm cannot be had."""
    if not (CACHE / "node_modules").exists():
        _install()
    ran = subprocess.run(
        ["node", "-e", SCRIPT], cwd=CACHE, input=json.dumps(objects), capture_output=True, text=True, check=True
    )
    return list(json.loads(ran.stdout))


def _install() -> None:
    reason = "npm is not installed"
    if shutil.which("npm") and shutil.which("node"):
        CACHE.mkdir(parents=True, exist_ok=True)
        words = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(CACHE), PACKAGE]
        ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
        if ran.returncode == 0:
            return
        reason = f"npm cannot install {PACKAGE}: {ran.stderr.strip()}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
