"""The commands that deploy; `scorewright deploy local IMAGE` is short for `scorewright deploy local apply IMAGE`."""

from __future__ import annotations

import typer

from scorewright.cli_deploy_aci import aci
from scorewright.cli_deploy_aks import aks
from scorewright.cli_deploy_azureml import azureml
from scorewright.cli_deploy_azureml_v1 import azureml_v1
from scorewright.cli_deploy_local import local

deploy = typer.Typer(help="Run an image somewhere, and look after it.", no_args_is_help=True)
deploy.add_typer(local, name="local")
deploy.add_typer(aci, name="aci")
deploy.add_typer(aks, name="aks")
deploy.add_typer(azureml, name="azureml")
deploy.add_typer(azureml_v1, name="azureml-v1")
