"""A decision tree on the first four breast-cancer features: from fit() to scored requests.

Run it with `make demo`, or `python examples/breast_cancer.py [FOLDER]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier
from walkthrough import walk_through


def train(folder: Path) -> tuple[Path, Path, dict[str, list[float]]]:
    """Fit and save the tree; returns the model, a sample csv, and one row of each kind that it was not fitted on."""
    cancer = load_breast_cancer(as_frame=True)
    features = cancer.data.iloc[:, :4]
    X_train, X_test, y_train, y_test = train_test_split(features, cancer.target, random_state=0)
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X_train, y_train)
    print(f"A decision tree on {', '.join(features.columns)}: accuracy {tree.score(X_test, y_test):.3f} on unseen rows")
    model, sample = folder / "breast-cancer.joblib", folder / "sample.csv"
    joblib.dump(tree, model)
    X_train.head(20).to_csv(sample, index=False)
    right = tree.predict(X_test) == y_test
    rows = {
        kind: X_test[right & (y_test == label)].iloc[0].tolist()
        for label, kind in enumerate(cancer.target_names.tolist())
    }
    return model, sample, rows


def main(folder: Path) -> dict[str, Any]:
    """Train, generate, check, serve and score; returns the answers."""
    folder.mkdir(parents=True, exist_ok=True)
    model, sample, rows = train(folder)
    requests = {
        f"{kind}, {method}": {"data": [rows[kind]], "method": method}
        for kind in ("benign", "malignant")
        for method in ("predict", "predict_proba")
    }
    print("Classes: 0 is malignant, 1 is benign.")
    return walk_through(model, sample, folder / "breast-cancer", requests)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
