"""Documents as Azure ML's own command line takes them: a plan's YAML files and the commands that apply them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.deploy.yaml_text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scorewright.deploy.azureml_workspace import AzuremlWorkspace

_SCHEMAS = "https://azuremlschemas.azureedge.net/latest"


@dataclass(frozen=True)
class Documents:
    """What is sent, by file name, and the `az ml` commands that send the same, in their order."""

    files: Mapping[str, Mapping[str, Any]]
    commands: Sequence[Sequence[str]]

    def describe(self) -> str:
        """All files, then the commands."""
        texts = [f"# {name}\n{to_yaml(content)}" for name, content in self.files.items()]
        return "---\n".join(texts) + "---\n" + "".join(f"# {shlex.join(command)}\n" for command in self.commands)

    def write(self, folder: Path) -> list[Path]:
        """Write the files and apply.sh into `folder`; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = {name: to_yaml(content) for name, content in self.files.items()}
        texts["apply.sh"] = "#!/bin/sh\nset -e\n" + "".join(f"{shlex.join(command)}\n" for command in self.commands)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
        return [folder / name for name in texts]


def document(schema: str, **content: Any) -> dict[str, Any]:
    """A document of one of Azure ML's schemas, without what is None or empty."""
    filled = {key: value for key, value in content.items() if value not in (None, {}, [], "")}
    return {"$schema": f"{_SCHEMAS}/{schema}.schema.json", **filled}


def az(workspace: AzuremlWorkspace, *words: str) -> list[str]:
    """An `az ml` command for the workspace."""
    place = ["--subscription", workspace.subscription, "--resource-group", workspace.resource_group]
    return ["az", "ml", *words, *place, "--workspace-name", workspace.name]


def to_yaml(content: Mapping[str, Any]) -> str:
    """YAML, in the order given. Raises DeployError if PyYAML is not installed."""
    return yaml_text(content, extra="azureml")
