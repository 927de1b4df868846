"""Both examples end with scored requests."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.examples_run import Example


def test_the_tree_tells_benign_from_malignant(breast_cancer: Example) -> None:
    answers = re.findall(r"# (\w+), (\w+)\n  request  .*\n  answer   (.*)", breast_cancer.printed)
    assert [(kind, method) for kind, method, _ in answers] == [
        ("benign", "predict"),
        ("benign", "predict_proba"),
        ("malignant", "predict"),
        ("malignant", "predict_proba"),
    ]
    benign, benign_odds, malignant, malignant_odds = (json.loads(answer) for _, _, answer in answers)
    assert (benign, malignant) == ({"predict": [1]}, {"predict": [0]})
    for odds, label in ((benign_odds, 1), (malignant_odds, 0)):
        (pair,) = odds["predict_proba"]
        assert sum(pair) == pytest.approx(1)
        assert pair[label] > 0.5


@pytest.mark.keras
def test_the_network_tells_the_classes_apart(cifar10: Example) -> None:
    assert re.search(
        r"Training on (the CIFAR-10 data set|images of CIFAR-10's shape, made on the spot)", cifar10.printed
    )
    told = re.findall(r"an image of class (\d) \(\w+\): the model says (\d)", cifar10.printed)
    assert len(told) == 3
    if "made on the spot" in cifar10.printed:
        assert all(label == said for label, said in told)
