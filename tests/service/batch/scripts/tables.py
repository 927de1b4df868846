"""Sums the rows of a DataFrame, which it changes, and says what it was told of its mini-batch."""

import sys

import pandas as pd

tries = 0


def run(mini_batch, mini_batch_context):
    global tries
    tries += 1
    values = mini_batch.pop("value")
    if "fail-first" in sys.argv and tries == 1:
        raise RuntimeError("the first try fails")
    return pd.DataFrame(
        {
            "doubled": values * 2,
            "index": mini_batch_context.minibatch_index,
            "key": repr(sorted(mini_batch_context.partition_key_value.items())),
        }
    )


def init():
    pass
