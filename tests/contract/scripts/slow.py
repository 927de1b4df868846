"""run() takes too long, in one way or another."""

import json
import time


def init():
    pass


def run(raw):
    do = json.loads(raw)["do"]
    if do == "sleep":
        time.sleep(30)
    if do == "spin":
        while True:
            pass
    if do == "catch":
        try:
            time.sleep(30)
        except TimeoutError:
            return "caught"
    if do == "swallow":
        try:
            time.sleep(30)
        except Exception:
            return "swallowed"
    return "in time"
