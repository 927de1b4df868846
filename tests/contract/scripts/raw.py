"""run() with the request itself: it tells all that it can be asked for."""

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    assert isinstance(AMLRequest, type)


@rawhttp
def run(request):
    if request.args.get("json") == "parsed":
        return {"parsed": request.get_json()}
    told = {
        "method": request.method,
        "path": request.path,
        "full_path": request.full_path,
        "url": request.url.replace(request.host, "HOST"),
        "base_url": request.base_url.replace(request.host, "HOST"),
        "query_string": request.query_string.decode(),
        "scheme": request.scheme,
        "args": {name: request.args.getlist(name) for name in request.args},
        "headers": {name: value for name, value in request.headers if name != "Host"},
        "lookup": [request.headers.get("x-mINE"), request.headers.get("X-None", "none"), "X-Mine" in request.headers],
        "content_type": request.content_type,
        "mimetype": request.mimetype,
        "content_length": request.content_length,
        "is_json": request.is_json,
        "cookies": dict(request.cookies),
        "form": {name: request.form.getlist(name) for name in request.form},
        "files": [
            [name, file.filename, file.mimetype, file.read().decode("latin-1")]
            for name in request.files
            for file in request.files.getlist(name)
        ],
        "values": sorted(request.values),
        "remote": request.remote_addr,
        "accept": list(request.accept_mimetypes.values()),
    }
    told["data"] = request.get_data().decode("latin-1")
    return AMLResponse(told, 200, json_str=True)
