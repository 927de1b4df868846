"""run() uses flask itself: its request, its Response and its helpers."""

import json

from flask import Response, jsonify, make_response, request, stream_with_context


def init():
    pass


def run(raw):
    do = json.loads(raw)["do"]
    if do == "request":
        return [request.method, request.path, request.headers.get("X-Mine"), request.get_json()]
    if do == "jsonify":
        return jsonify({"a": 1})
    if do == "response":
        return Response("plain", 202, {"X-Mine": "1"}, mimetype="text/plain")
    if do == "make":
        return make_response({"made": True}, 203)
    if do == "stream":
        return Response(stream_with_context(str(number) for number in range(3)))
    if do == "ids":
        from flask import g

        return [g.request_id, g.client_request_id]
    if do == "failed":
        return Response("no", 500)
    return None
