"""What a script finds around it."""

import os
import sys
from pathlib import Path

import sibling

STATE = {}


def init():
    global model  # noqa: PLW0603
    model = open(os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model.txt")).read()
    STATE["relative"] = Path("beside.txt").read_text()


def run(data):
    root = os.environ["AML_APP_ROOT"]
    return {
        "name": __name__,
        "file": os.path.relpath(__file__, root),
        "sibling": sibling.VALUE,
        "model": model,
        "model_dir": os.environ["AZUREML_MODEL_DIR"],
        "relative": STATE["relative"],
        "cwd": os.path.samefile(os.getcwd(), root),
        "on_path": root in sys.path,
        "entry_script": os.path.relpath(os.environ["AZUREML_ENTRY_SCRIPT"], root),
        "workers": os.environ["WORKER_COUNT"],
        "port": os.environ["SERVER_PORT"].isdigit() and os.environ["HEALTH_PORT"] == os.environ["SERVER_PORT"],
        "told": "HTTP_X_MS_SERVER_VERSION" in os.environ,
        "insights": os.environ["AML_APP_INSIGHTS_ENABLED"],
        "main_thread": __import__("threading").current_thread() is __import__("threading").main_thread(),
    }
