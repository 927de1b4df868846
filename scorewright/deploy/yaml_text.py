"""YAML as the targets' own tools take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping


def yaml_text(value: Mapping[str, Any], *, extra: str = "azure") -> str:
    """A mapping as YAML, in its own order. Raises DeployError, naming the extra, if PyYAML is not installed."""
    try:
        import yaml
    except ImportError as error:
        raise DeployError(f"YAML cannot be written: {error}.", hint=f"pip install 'scorewright[{extra}]'") from None
    return str(yaml.safe_dump(dict(value), sort_keys=False, width=120))
