"""Does to each file what its text says."""

import os
import signal
import sys
import time
from pathlib import Path

import pandas as pd


def init():
    if "--init" in sys.argv:
        eval(sys.argv[sys.argv.index("--init") + 1])


def run(mini_batch):
    answers = []
    for path in map(Path, mini_batch):
        word = path.read_text()
        before = Path(sys.argv[1], path.name)
        tried = before.exists()
        before.touch()
        if word == "raise" or (word == "raise once" and not tried):
            raise ValueError(f"{path.name} is bad")
        if word == "none":
            return None
        if word == "text":
            return "text"
        if word == "same columns":
            return pd.DataFrame([[1, 2]], columns=["a", "a"])
        if word == "hang" or (word == "hang once" and not tried):
            time.sleep(3600)
        if word == "exit":
            sys.exit(7)
        if word == "segv" or (word == "segv once" and not tried):
            print("about to fall over")
            os.kill(os.getpid(), signal.SIGSEGV)
        if word == "same name":
            Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "result.txt").write_text(path.name)
        if word.startswith("write "):
            own = Path(os.environ["AZUREML_BI_OUTPUT_PATH"], word.removeprefix("write "))
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(path.name)
        if word.startswith("fork"):
            child = os.fork()
            if not child:
                time.sleep(3600)
            Path(sys.argv[1], "child").write_text(str(child))
            if word == "fork, exit" and not tried:
                os._exit(7)
        if word == "wait":
            while not Path(sys.argv[1], "go").exists():
                time.sleep(0.02)
        if word != "leave out":
            answers.append(f"{path.name} {word}")
    return answers
