"""run() with schemas of numpy and pandas."""

import numpy as np
import pandas as pd
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    pass


@input_schema("rows", NumpyParameterType(np.array([[1.0, 2.0]])))
@input_schema("table", PandasParameterType(pd.DataFrame({"n": [1], "s": ["x"]})))
@output_schema(NumpyParameterType(np.array([3.0])))
def run(rows, table):
    return {
        "sums": rows.sum(axis=1).tolist(),
        "type": type(rows).__name__,
        "n": table["n"].tolist(),
        "rows": len(table),
    }
