"""The script behind the driver."""

import sys

STARTED = []


def init():
    STARTED.append("inner")


def run(data):
    return [data, STARTED, sys.modules[__name__].__name__]
