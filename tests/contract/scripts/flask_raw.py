"""run() is given what flask calls a request."""

import flask
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    pass


@rawhttp
def run(request):
    return AMLResponse(
        {
            "request": isinstance(request, flask.Request),
            "same": request.method == flask.request.method,
            "response": issubclass(AMLResponse, flask.Response),
            "data": request.get_data(as_text=True),
        },
        200,
        json_str=True,
    )
