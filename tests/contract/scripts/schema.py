"""run() with schemas of the simple types, one parameter optional."""

from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    pass


@input_schema("a", StandardPythonParameterType(1))
@input_schema("names", StandardPythonParameterType(["x", "y"]))
@output_schema(StandardPythonParameterType({"a": 1}))
def run(a, names, extra="by default", request_headers=None):
    return {"a": a, "names": names, "extra": extra, "mine": request_headers.get("X-Mine")}
