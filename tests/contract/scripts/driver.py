"""A driver, as some SDKs generate: its init() is called, its run() is not."""

import driver_score as driver_module

STARTED = []


def init():
    STARTED.append("outer")
    driver_module.init()


def run(data):
    raise AssertionError("the inner run() is called")
