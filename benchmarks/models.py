"""Trains the models. `python -m benchmarks.models NAME FOLDER` leaves the model, a sample and the rows to ask.

A process of its own, so that the one that measures holds no library whose memory the servers would share.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Rows

BODIES = 200
"""Different requests for each model."""

IMAGES = 64
"""The same for the network: azmlinfsrv scores some 25 images a second, and each is asked before each phase."""


def train(name: str, folder: Path) -> None:
    """Fit and save a model: tree, forest, network or frame."""
    folder.mkdir(parents=True, exist_ok=True)
    {"tree": _tree, "forest": _forest, "network": _network, "frame": _frame}[name](folder)


def _tree(folder: Path) -> None:
    from sklearn.datasets import load_iris
    from sklearn.tree import DecisionTreeClassifier

    iris = load_iris()
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(iris.data, iris.target)
    _save(tree, iris.data, _between(iris.data), folder)


def _forest(folder: Path) -> None:
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    cancer = load_breast_cancer()
    model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=100, random_state=0))
    _save(model.fit(cancer.data, cancer.target), cancer.data, _between(cancer.data), folder)


def _between(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Rows that lie between pairs of X's rows, to four decimals, all different."""
    random = np.random.default_rng(0)
    first, second = X[random.integers(0, len(X), BODIES * 2)], X[random.integers(0, len(X), BODIES * 2)]
    mixed = first + random.random((BODIES * 2, 1)) * (second - first)
    return np.unique(mixed.round(4), axis=0)[random.permutation(BODIES)]


def _save(model: Any, fitted: np.ndarray[Any, Any], asked: np.ndarray[Any, Any], folder: Path) -> None:
    import joblib

    joblib.dump(model, folder / "model.joblib")
    np.save(folder / "sample.npy", fitted[:20])
    answers = {"predict_proba": model.predict_proba(asked).tolist(), "predict": model.predict(asked).tolist()}
    Rows(rows=asked.tolist(), answers=answers).write(folder)


def _frame(folder: Path) -> None:
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    random = np.random.default_rng(0)
    size = 2000
    X = pd.DataFrame(
        {
            "age": random.integers(18, 90, size),
            "tenure": random.integers(0, 120, size),
            "monthly_charge": random.gamma(4, 15, size).round(2),
            "total_charge": random.gamma(3, 800, size).round(2),
            "contract": random.choice(["monthly", "one year", "two years"], size),
            "payment": random.choice(["card", "transfer", "invoice"], size),
            "region": random.choice(["north", "east", "south", "west"], size),
        }
    )
    leaving = (X["contract"] == "monthly") * 1.5 + X["monthly_charge"] / 40 - X["tenure"] / 40
    y = (leaving + random.normal(0, 1, size) > 1).astype(int)
    numbers, texts = ["age", "tenure", "monthly_charge", "total_charge"], ["contract", "payment", "region"]
    columns = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), texts))
    model = make_pipeline(columns, GradientBoostingClassifier(random_state=0)).fit(X, y)
    joblib.dump(model, folder / "model.joblib")
    X.head(20).to_csv(folder / "sample.csv", index=False)
    asked = X.drop_duplicates().tail(BODIES)
    answers = {"predict_proba": model.predict_proba(asked).tolist()}
    Rows(rows=asked.to_dict("records"), answers=answers).write(folder)


def _network(folder: Path) -> None:
    # Its weights are the random ones it begins with: what it answers costs the same.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3), name="image"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.save(folder / "model.keras")
    images = np.random.default_rng(0).random((IMAGES, 32, 32, 3)).round(3)
    np.save(folder / "sample.npy", images[:2].astype("float32"))
    answers = {"predict": network.predict(images.astype("float32"), verbose=0).tolist()}
    Rows(rows=images.tolist(), answers=answers).write(folder)


if __name__ == "__main__":
    train(sys.argv[1], Path(sys.argv[2]))
