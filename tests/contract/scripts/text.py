"""run() undecorated: it tells what it was given, or returns what it is asked for."""

import json


def init():
    pass


def run(raw):
    try:
        request = json.loads(raw)
    except (ValueError, RecursionError):
        return ["no JSON", type(raw).__name__, raw]
    if not isinstance(request, dict) or "give" not in request:
        return ["given", type(raw).__name__, raw]
    return {
        "nothing": None,
        "true": True,
        "number": 12345678901234567890,
        "float": 0.1 + 0.2,
        "exponent": 1e-7,
        "nan": float("nan"),
        "infinity": [float("inf"), -float("inf")],
        "text": 'é 😀 "quoted" \n /',
        "json text": json.dumps({"a": [1, 2]}),
        "empty": "",
        "list": [1, [2, [3]], {}],
        "tuple": ({"a": 1}, 400),
        "keys": {1: "a", None: "b", True: "c", 1.5: "d"},
        "order": {"z": 1, "a": 2},
    }[request["give"]]
