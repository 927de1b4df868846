"""run() reads the body as a stream, under the older name; with the headers too."""

from azureml.contrib.services.aml_request import AMLRequest, rawhttp  # noqa: F401
from azureml.contrib.services.aml_response import AMLResponse


def init():
    pass


@rawhttp
def run(request, request_headers):
    pieces = []
    while piece := request.stream.read(7):
        pieces.append(piece)
    return AMLResponse(
        b"|".join(pieces), 200, {"Content-Type": "application/x-pieces", "X-Mine": request_headers.get("X-Mine", "-")}
    )
