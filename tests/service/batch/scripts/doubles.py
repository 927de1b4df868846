"""Answers each file, and writes a file of its own for each."""

import os
from pathlib import Path


def init():
    pass


def run(mini_batch):
    for path in map(Path, mini_batch):
        folder = Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "copies")
        folder.mkdir(exist_ok=True)
        (folder / path.name).write_text(path.read_text() * 2)
    return [f"{Path(path).name} {int(Path(path).read_text()) * 2}" for path in mini_batch]
