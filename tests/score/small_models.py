"""Small fitted models, one of each layout and of each way to treat what was not seen, with their samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer
from sklearn.tree import DecisionTreeClassifier


def tree_with_names() -> tuple[Any, Any]:
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [10.0, 20.0, 30.0, 40.0], "ü": [0.0, 0.0, 1.0, 1.0]})
    return DecisionTreeClassifier(random_state=0).fit(X, [0, 0, 1, 1]), X


def line_without_names() -> tuple[Any, Any]:
    X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]])
    return LinearRegression().fit(X, [1.0, 2.0, 3.0]), X


def table_of_everything() -> tuple[Any, Any]:
    X = pd.DataFrame(
        {
            "age": [31, 45, 27, 60],
            "city": ["Bonn", "Köln", "Bonn", "Köln"],
            "street": ["a", "b", None, "a"],
            "since": pd.to_datetime(["2020-01-01", "2021-06-30", "", "2024-12-31"]),
            "member": [True, False, True, True],
            "size": pd.Categorical(["S", "M", "S", "L"]),
            "rooms": [1, 2, 3, 2],
        }
    )
    encode = make_column_transformer(
        (SimpleImputer(), ["age"]),
        (OneHotEncoder(), ["city", "rooms"]),
        (OneHotEncoder(handle_unknown="ignore"), ["street", "size"]),
        ("passthrough", ["member"]),
    )
    return make_pipeline(encode, LogisticRegression()).fit(X, ["no", "yes", "no", "yes"]), X


def boosted_categories() -> tuple[Any, Any]:
    X = pd.DataFrame({"size": pd.Categorical(["S", "M", "L"] * 20), "zone": pd.Categorical([1, 2, 3, 4] * 15)})
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype", min_samples_leaf=2)
    return model.fit(X, [0, 1, 1] * 20), X


def words() -> tuple[Any, Any]:
    lines = ["good", "very good", "bad", "very bad"]
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(lines, [1, 1, 0, 0]), lines


def positive_only() -> tuple[Any, Any]:
    X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]])
    return PowerTransformer("box-cox").fit(X), X
