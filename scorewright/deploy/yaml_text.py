"""YAML as the targets' own tools take it."""

from __future__ import annotations

from typing import Any

from scorewright.errors import DeployError


def yaml_text(value: dict[str, Any]) -> str:
    """A mapping as YAML, in its own order. Raises DeployError if PyYAML is not installed."""
    try:
        import yaml
    except ImportError as error:
        raise DeployError(f"YAML cannot be written: {error}.", hint="pip install 'scorewright[azure]'") from None
    return yaml.safe_dump(value, sort_keys=False, width=120)
