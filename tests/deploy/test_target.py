"""Every target does what a target does: mypy holds each against the protocol, the tests only name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.deploy.aci_place import AciPlace
from scorewright.deploy.aci_target import Aci, AciDeployment
from scorewright.deploy.aks_place import AksPlace
from scorewright.deploy.aks_target import Aks, AksDeployment
from scorewright.deploy.arm import Arm
from scorewright.deploy.azureml_target import Azureml, AzuremlDeployment
from scorewright.deploy.azureml_v1_target import AzuremlV1, AzuremlV1Deployment
from scorewright.deploy.azureml_workspace import AzuremlWorkspace
from scorewright.deploy.local_target import Local, LocalDeployment
from scorewright.deploy.target import Deployment

if TYPE_CHECKING:
    from scorewright.deploy.aci_plan import AciPlan
    from scorewright.deploy.aks_plan import AksPlan
    from scorewright.deploy.azureml_plan import AzuremlPlan
    from scorewright.deploy.local_plan import LocalPlan
    from scorewright.deploy.target import Target

LOCAL: Target[LocalPlan] = Local()
ACI: Target[AciPlan] = Aci(AciPlace("s", "g", "here"), Arm(None))
AKS: Target[AksPlan] = Aks(AksPlace("ml"))
WORKSPACE = AzuremlWorkspace("s", "g", "w")
AZUREML: Target[AzuremlPlan] = Azureml(WORKSPACE)


def test_what_is_deployed_is_a_handle_everywhere() -> None:
    handles: list[Deployment] = [
        LocalDeployment("churn", 5001, "curl"),
        AciDeployment("churn", "http://churn", Aci(AciPlace("s", "g", "here"), Arm(None))),
        AksDeployment("churn", "churn", "http://churn", Aks(AksPlace("ml"))),
        AzuremlDeployment(Azureml(WORKSPACE), "churn", "http://churn/score"),
        AzuremlV1Deployment(AzuremlV1(WORKSPACE), "churn", "http://churn/score"),
    ]
    assert [handle.scoring_uri for handle in handles] == [
        "http://127.0.0.1:5001/score",
        *["http://churn/score"] * 4,
    ]
    assert all(isinstance(handle, Deployment) for handle in handles)
