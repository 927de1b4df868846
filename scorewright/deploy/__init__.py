"""From an image to an endpoint. `scorewright.deploy.local(bundle)` and its like are for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scorewright.notebook import aci as aci
    from scorewright.notebook import aks as aks
    from scorewright.notebook import azureml as azureml
    from scorewright.notebook import azureml_v1 as azureml_v1
    from scorewright.notebook import local as local

__all__ = ["aci", "aks", "azureml", "azureml_v1", "local"]


def __getattr__(name: str) -> object:
    # What they need of the other parts is loaded when one is asked for.
    if name in __all__:
        from scorewright import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
