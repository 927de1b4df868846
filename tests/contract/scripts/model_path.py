"""Finds its model as older scripts do."""

from azureml.core.model import Model


def init():
    global text  # noqa: PLW0603
    with open(Model.get_model_path("churn")) as file:
        text = file.read()


def run(data):
    return text
