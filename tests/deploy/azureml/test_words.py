"""What the SDKs say is passed on, and what nobody may see is not."""

from __future__ import annotations

import pytest
from azure.ai.ml.exceptions import ErrorTarget, MlException
from azure.core.exceptions import ServiceRequestError
from azureml.exceptions import WebserviceException
from requests.exceptions import ConnectionError as NoConnection

from scorewright.deploy.azureml_v1_objects import told_by_v1
from scorewright.deploy.azureml_words import told_by_ml
from scorewright.errors import DeployError

URL = "HTTPSConnectionPool(host='store.blob.core.windows.net'): no way to /files/m.pkl?sv=1&sig=aHVudGVyMg%3D%3D&se=2"


@pytest.mark.parametrize("error", [ServiceRequestError(URL), MlException(URL, "", target=ErrorTarget.MODEL)])
def test_v2_shows_no_signature(error: Exception) -> None:
    with pytest.raises(DeployError, match=r"model: .*sig=\*\*\*&se=2") as caught, told_by_ml("model"):
        raise error
    assert "aHVudGVyMg" not in caught.value.message


@pytest.mark.parametrize("error", [NoConnection(URL), WebserviceException(URL), Exception(URL)])
def test_v1_shows_no_signature(error: Exception) -> None:
    with pytest.raises(DeployError, match=r"model: .*sig=\*\*\*&se=2") as caught, told_by_v1("model"):
        raise error
    assert "aHVudGVyMg" not in caught.value.message


def test_an_error_of_ours_is_no_refusal_of_theirs() -> None:
    with pytest.raises(KeyError), told_by_v1("model"):
        raise KeyError("a mistake")
    with pytest.raises(KeyError), told_by_ml("model"):
        raise KeyError("a mistake")
