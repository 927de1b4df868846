"""Fitted scikit-learn models of every kind, each with rows it can be asked about."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn import (
    calibration,
    cluster,
    compose,
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_extraction,
    feature_selection,
    gaussian_process,
    impute,
    isotonic,
    kernel_approximation,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    semi_supervised,
    svm,
    tree,
)
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401

from tests.score.own import user_functions

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 30


@dataclass(frozen=True)
class Case:
    """A model as `fit` makes it from X and y, and what is to be asked and known about it."""

    fit: Callable[[Any, Any], Any]
    data: Callable[[], tuple[Any, Any]]
    sample: str = ""
    """How the sample is given: a file's suffix, `object`, `list`, or nothing at all."""
    save: str = ""
    """The suffix the model is saved under; empty: it is handed over as an object."""
    methods: tuple[str, ...] = ()
    """Methods that must be offered, the default one first."""
    layout: str = "array"
    left_out: tuple[str, ...] = ()
    """Methods the model has that cannot be served, and that a note must speak of."""
    absolute: float = 1e-9
    """How far from the model's a number may be besides 1e-9 relative: a distance near 0 loses its digits."""


def _random() -> np.random.RandomState:
    return np.random.RandomState(7)


def numbers(width: int = 4) -> np.ndarray[Any, Any]:
    return _random().normal(size=(90, width)) * [1.0, 10.0, 100.0, 0.1][:width] + 2.0


def two_classes() -> tuple[Any, Any]:
    X = numbers()
    return X, (X[:, 0] + X[:, 1] / 10 > 4).astype(int)


def labelled(labels: Any) -> Callable[[], tuple[Any, Any]]:
    def data() -> tuple[Any, Any]:
        X = numbers()
        place = np.digitize(X[:, 0], [1.5, 2.5]) if len(labels) == 3 else (X[:, 0] > 2).astype(int)
        return X, np.array(labels)[place]

    return data


def real() -> tuple[Any, Any]:
    X = numbers()
    return X, X @ [3.0, 0.5, 0.01, 1.0] + _random().normal(size=len(X))


def two_targets() -> tuple[Any, Any]:
    X, y = real()
    return X, np.column_stack([y, -2 * y + X[:, 0]])


def two_labels() -> tuple[Any, Any]:
    X, y = two_classes()
    return X, np.column_stack([y, (X[:, 2] > 0).astype(int)])


def two_texts() -> tuple[Any, Any]:
    X, y = two_labels()
    return X, np.column_stack([np.array(["no", "yes"])[y[:, 0]], np.array(["cold", "hot"])[y[:, 1]]])


def with_gaps() -> tuple[Any, Any]:
    X, y = two_classes()
    X[::5, 1] = np.nan
    X[::7, 3] = np.nan
    return X, y


def positive() -> tuple[Any, Any]:
    X, y = two_classes()
    return np.abs(X), y


def one_column() -> tuple[Any, Any]:
    X, y = real()
    return X[:, :1], y


def named() -> tuple[Any, Any]:
    X, y = two_classes()
    return pd.DataFrame(X, columns=["mean radius", "mean texture", "área", 'the "best"']), y


def unlabelled() -> tuple[Any, Any]:
    X, y = two_classes()
    y[::3] = -1
    return X, y


def people() -> tuple[Any, Any]:
    """A table as people keep it: texts, flags, whole and broken numbers, gaps, categories, dates."""
    random = _random()
    count = 90
    age = random.randint(18, 90, count)
    frame = pd.DataFrame(
        {
            "age": age,
            "income": np.where(random.rand(count) < 0.2, np.nan, random.normal(3e4, 1e4, count)),
            "city": random.choice(["Ulm", "Köln", "Bonn", "NA"], count),
            "member": random.rand(count) < 0.5,
            "size": pd.Categorical(random.choice(["S", "M", "L"], count), categories=["S", "M", "L"]),
            "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(random.randint(0, 2000, count), unit="D"),
            "grade": random.randint(0, 3, count),
        }
    )
    frame.loc[::9, "city"] = None
    return frame, np.where(age + 20 * frame["member"] > 60, "pays", "free")


def flats() -> tuple[Any, Any]:
    frame, y = people()
    return frame[["age", "income", "city", "member"]], y


def flats_of_numbers() -> tuple[Any, Any]:
    """The flag is a number: that it was true or false cannot be seen from a model alone."""
    frame, y = flats()
    return frame.assign(member=frame["member"].astype("float64")), y


def categories() -> tuple[Any, Any]:
    frame, y = people()
    return frame[["age", "income", "size"]].assign(zone=frame["grade"].astype("category")), y


def objects() -> tuple[Any, Any]:
    frame, y = people()
    return frame[["age", "city", "grade"]].fillna("none").to_numpy(dtype=object), y


def texts() -> tuple[Any, Any]:
    words = ["good", "bad", "fine", "awful", "film", "plot", "the", "ünder"]
    random = _random()
    lines = [" ".join(random.choice(words, 6)) for _ in range(90)]
    return np.array(lines, dtype=object), np.array(["good" in line for line in lines])


def reviews() -> tuple[Any, Any]:
    lines, y = texts()
    return pd.DataFrame({"review": lines, "stars": _random().randint(1, 6, len(lines))}), y


def fitted(estimator: Any) -> Callable[[Any, Any], Any]:
    fit: Callable[[Any, Any], Any] = estimator.fit
    return fit


def _mixed(last: Any, **encoder: Any) -> Any:
    return pipeline.Pipeline(
        [
            (
                "prepare",
                compose.ColumnTransformer(
                    [
                        (
                            "numbers",
                            pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()),
                            ["age", "income"],
                        ),
                        (
                            "texts",
                            pipeline.make_pipeline(
                                impute.SimpleImputer(strategy="most_frequent"),
                                preprocessing.OneHotEncoder(**encoder),
                            ),
                            ["city"],
                        ),
                        ("flags", "passthrough", ["member"]),
                    ],
                ),
            ),
            ("last", last),
        ]
    )


def _people(X: Any, y: Any) -> Any:
    whole = pipeline.make_pipeline(
        compose.ColumnTransformer(
            [
                ("gaps", impute.SimpleImputer(), ["income", "age"]),
                ("texts", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city", "size"]),
                ("days", preprocessing.FunctionTransformer(user_functions.days), ["since"]),
                ("flags", preprocessing.OrdinalEncoder(), slice("member", "member")),
            ],
            remainder="passthrough",
        ),
        ensemble.RandomForestClassifier(8, random_state=0),
    )
    return whole.fit(X, y)


def _search(X: Any, y: Any) -> Any:
    grid = {"max_depth": [2, 3]}
    return model_selection.GridSearchCV(tree.DecisionTreeClassifier(random_state=0), grid, cv=3).fit(X, y)


def _random_search(X: Any, y: Any) -> Any:
    steps = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    return model_selection.RandomizedSearchCV(
        steps, {"logisticregression__C": [0.1, 1.0, 10.0]}, n_iter=2, cv=3, random_state=0
    ).fit(X, y)


def _halving(X: Any, y: Any) -> Any:
    return model_selection.HalvingGridSearchCV(
        tree.DecisionTreeRegressor(random_state=0), {"max_depth": [2, 3]}, cv=3, random_state=0
    ).fit(X, y)


def _vote(X: Any, y: Any, **how: Any) -> Any:
    voters = [("nb", naive_bayes.GaussianNB()), ("tree", tree.DecisionTreeClassifier(max_depth=2, random_state=0))]
    return ensemble.VotingClassifier(voters, **how).fit(X, y)


def _stack(X: Any, y: Any) -> Any:
    return ensemble.StackingRegressor([("a", linear_model.Ridge()), ("b", neighbors.KNeighborsRegressor())]).fit(X, y)


def _pandas_out(X: Any, y: Any) -> Any:
    scaler = preprocessing.StandardScaler().set_output(transform="pandas")
    return pipeline.make_pipeline(scaler, linear_model.LogisticRegression()).fit(X, y)


def _text_columns(X: Any, y: Any) -> Any:
    return pipeline.make_pipeline(
        compose.ColumnTransformer(
            [("words", feature_extraction.text.CountVectorizer(), "review")], remainder="passthrough"
        ),
        naive_bayes.MultinomialNB(),
    ).fit(X, y)


def _by_position(X: Any, y: Any) -> Any:
    return pipeline.make_pipeline(
        compose.ColumnTransformer(
            [("texts", preprocessing.OneHotEncoder(), [1]), ("numbers", preprocessing.MinMaxScaler(), [0, 2])]
        ),
        linear_model.LogisticRegression(),
    ).fit(X, y)


def _union(X: Any, y: Any) -> Any:
    both = pipeline.FeatureUnion([("pca", decomposition.PCA(2)), ("best", feature_selection.SelectKBest(k=1))])
    return pipeline.make_pipeline(both, svm.SVC(random_state=0)).fit(X, y)


def _dates(X: Any, y: Any) -> Any:
    days = np.array(["2024-01-01", "2024-06-01", "2025-01-01"], dtype="datetime64[ns]")
    return tree.DecisionTreeClassifier(max_depth=2).fit(X, days[np.digitize(X[:, 0], [1.5, 2.5])])


def _own_text(X: Any, y: Any) -> Any:
    clean = preprocessing.FunctionTransformer(user_functions.lower)
    return pipeline.make_pipeline(
        clean, feature_extraction.text.TfidfVectorizer(), linear_model.LogisticRegression()
    ).fit(X, y)


PROBA = ("predict_proba", "predict", "predict_log_proba")
E = ensemble
L = linear_model
P = preprocessing

CASES: dict[str, Case] = {
    # trees and ensembles
    "tree": Case(fitted(tree.DecisionTreeClassifier(max_depth=3)), named, "csv", ".joblib", PROBA),
    "tree, no sample": Case(fitted(tree.DecisionTreeClassifier(max_depth=3)), named, "", ".pkl", PROBA),
    "tree, gaps": Case(fitted(tree.DecisionTreeClassifier(max_depth=3)), with_gaps, "npy", "", PROBA),
    "tree, dates": Case(_dates, real, "object"),
    "tree, two texts": Case(fitted(tree.DecisionTreeClassifier(max_depth=3)), two_texts, "json", ".z", PROBA),
    "tree regressor": Case(fitted(tree.DecisionTreeRegressor(max_depth=3)), real, "npy", ".bin", ("predict",)),
    "forest": Case(
        fitted(E.RandomForestClassifier(8, n_jobs=2)), labelled(["a", "b", "ü"]), "npz", ".joblib", PROBA
    ),
    "forest, two outputs": Case(fitted(E.RandomForestClassifier(5)), two_labels, "list", "", PROBA),
    "forest regressor, two outputs": Case(fitted(E.RandomForestRegressor(5)), two_targets, "npy", ".pkl"),
    "extra trees": Case(fitted(E.ExtraTreesClassifier(5)), labelled([True, False]), "", ".joblib", PROBA),
    "gradient boosting": Case(
        fitted(E.GradientBoostingClassifier(n_estimators=5)), labelled([-1, 1]), "npy", "",
        (*PROBA, "decision_function"),
    ),
    "hist boosting": Case(fitted(E.HistGradientBoostingClassifier(max_iter=5)), two_classes, "", ".joblib"),
    "hist boosting, gaps": Case(fitted(E.HistGradientBoostingRegressor(max_iter=5)), with_gaps, "json", ".joblib"),
    "hist boosting, categories": Case(
        fitted(E.HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")),
        categories, "parquet", ".joblib", layout="columns",
    ),
    "adaboost": Case(fitted(E.AdaBoostClassifier(n_estimators=4)), labelled([1.0, 2.0]), "npy", "", PROBA),
    "bagging": Case(fitted(E.BaggingRegressor(n_estimators=4, n_jobs=2)), real, "npy", ".joblib"),
    "isolation forest": Case(
        fitted(E.IsolationForest(n_estimators=8)), two_classes, "", "",
        ("predict", "decision_function", "score_samples"),
    ),
    "embedding": Case(fitted(E.RandomTreesEmbedding(4)), two_classes, "npy", "", ("transform",)),
    "voting, hard": Case(_vote, labelled(["x", "y"]), "npy", "", ("predict", "transform")),
    "voting, soft": Case(lambda X, y: _vote(X, y, voting="soft"), two_classes, "npy", "", ("predict_proba",)),
    "voting, three-way": Case(
        lambda X, y: _vote(X, y, voting="soft", flatten_transform=False), two_classes, "npy", "", PROBA[:2],
        left_out=("transform",),
    ),
    "stacking": Case(_stack, real, "npy", ".joblib", ("predict", "transform")),
    # linear
    "linear": Case(fitted(L.LinearRegression()), real, "", ".joblib", ("predict",)),
    "logistic": Case(fitted(L.LogisticRegression()), labelled(["a", "b", "c"]), "csv", ".pkl", PROBA),
    "ridge, two targets": Case(fitted(L.Ridge()), two_targets, "npy", ""),
    "lasso": Case(fitted(L.Lasso(alpha=0.1)), named, "parquet", ""),
    "sgd": Case(fitted(L.SGDClassifier()), two_classes, "npy", "", ("predict", "decision_function")),
    "ridge classifier": Case(fitted(L.RidgeClassifier()), two_classes, "", ".z"),
    "poisson": Case(fitted(L.PoissonRegressor(max_iter=300)), positive, "npy", ""),
    # vectors, neighbours, bayes, networks
    "svc": Case(fitted(svm.SVC()), two_classes, "", ".joblib", ("predict", "decision_function")),
    "linear svc": Case(fitted(svm.LinearSVC()), two_classes, "npy", ""),
    "svr": Case(fitted(svm.SVR()), real, "npy", ".pkl"),
    "one-class svm": Case(fitted(svm.OneClassSVM()), two_classes, "", ""),
    "neighbours": Case(fitted(neighbors.KNeighborsClassifier(n_jobs=2)), named, "json", ".joblib"),
    "neighbours regressor": Case(fitted(neighbors.KNeighborsRegressor()), two_targets, "", ""),
    "radius": Case(fitted(neighbors.RadiusNeighborsClassifier(radius=200.0)), two_classes, "npy", ""),
    "outlier factor": Case(fitted(neighbors.LocalOutlierFactor(novelty=True)), two_classes, "npy", ""),
    "density": Case(fitted(neighbors.KernelDensity()), two_classes, "", ".joblib", ("score_samples",)),
    "neighbour graph": Case(fitted(neighbors.KNeighborsTransformer(n_neighbors=3)), two_classes, "npy", ""),
    "bayes": Case(fitted(naive_bayes.GaussianNB()), labelled(["a", "b"]), "", ".joblib"),
    "network": Case(fitted(neural_network.MLPClassifier((4,), max_iter=20)), two_classes, "npy", ""),
    "lda": Case(fitted(discriminant_analysis.LinearDiscriminantAnalysis()), labelled(["a", "b", "c"]), "", ""),
    "qda": Case(fitted(discriminant_analysis.QuadraticDiscriminantAnalysis()), two_classes, "npy", ""),
    "gaussian process": Case(fitted(gaussian_process.GaussianProcessRegressor()), real, "", ".joblib"),
    # clusters and mixtures
    "k-means": Case(fitted(cluster.KMeans(3, n_init=1)), two_classes, "", ".joblib", ("predict", "transform")),
    "mini-batch k-means": Case(fitted(cluster.MiniBatchKMeans(3, n_init=1)), two_classes, "npy", ""),
    "mean shift": Case(fitted(cluster.MeanShift()), two_classes, "", ""),
    "affinity": Case(fitted(cluster.AffinityPropagation()), two_classes, "npy", ""),
    "birch": Case(fitted(cluster.Birch(n_clusters=3)), two_classes, "npy", "", absolute=1e-5),
    "mixture": Case(fitted(mixture.GaussianMixture(2)), two_classes, "", "", ("predict_proba",)),
    "envelope": Case(fitted(covariance.EllipticEnvelope()), two_classes, "npy", ""),
    "boltzmann": Case(
        fitted(neural_network.BernoulliRBM(3, n_iter=2)), positive, "npy", "", ("transform",),
        left_out=("score_samples",),
    ),
    # transformers
    "pca": Case(fitted(decomposition.PCA(2)), two_classes, "", ".joblib", ("transform", "score_samples")),
    "nmf": Case(fitted(decomposition.NMF(2, max_iter=800)), positive, "npy", ""),
    "svd": Case(fitted(decomposition.TruncatedSVD(2)), two_classes, "npy", ""),
    "scaler": Case(fitted(P.StandardScaler()), named, "", "", ("transform",)),
    "one-hot, sparse": Case(fitted(P.OneHotEncoder()), objects, "object", ".joblib", layout="columns"),
    "one-hot of numbers": Case(
        fitted(P.OneHotEncoder()), lambda: (_random().randint(0, 3, (90, 2)), None), "npy", "", layout="columns"
    ),
    "ordinal of a frame": Case(
        fitted(P.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
        lambda: (people()[0][["city", "grade"]], None), "object", "", layout="columns",
    ),
    "polynomial": Case(fitted(P.PolynomialFeatures(2)), two_classes, "", ""),
    "bins": Case(fitted(P.KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf")), two_classes, "", ".joblib"),
    "imputer": Case(fitted(impute.IterativeImputer(max_iter=3)), with_gaps, "npy", "", ("transform",)),
    "imputer of texts": Case(
        fitted(impute.SimpleImputer(strategy="most_frequent")), lambda: (flats()[0][["city"]], None), "csv", "",
        ("transform",), layout="columns",
    ),
    "projection": Case(fitted(random_projection.SparseRandomProjection(3)), two_classes, "npy", ""),
    "kernel": Case(fitted(kernel_approximation.Nystroem(n_components=5)), two_classes, "npy", ""),
    "selection": Case(fitted(feature_selection.SelectKBest(k=2)), two_classes, "", ""),
    # what is made of others
    "pandas inside": Case(_pandas_out, named, "csv", ".joblib"),
    "scaler to pandas": Case(
        lambda X, y: P.StandardScaler().set_output(transform="pandas").fit(X), two_classes, "npy", ".joblib"
    ),
    "union": Case(_union, two_classes, "npy", ""),
    "grid search": Case(_search, named, "csv", ".joblib", PROBA),
    "random search": Case(_random_search, two_classes, "", ""),
    "halving search": Case(_halving, real, "npy", ".joblib"),
    "calibrated": Case(fitted(calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2)), two_classes, "npy", ""),
    "transformed target": Case(
        fitted(compose.TransformedTargetRegressor(L.Ridge(), transformer=P.StandardScaler())), real, "", ".pkl"
    ),
    "multi-output classifier": Case(
        fitted(multioutput.MultiOutputClassifier(L.LogisticRegression(), n_jobs=2)), two_texts, "npy", ""
    ),
    "multi-output regressor": Case(fitted(multioutput.MultiOutputRegressor(L.Ridge())), two_targets, "", ""),
    "classifier chain": Case(fitted(multioutput.ClassifierChain(L.LogisticRegression())), two_labels, "npy", ""),
    "regressor chain": Case(fitted(multioutput.RegressorChain(L.Ridge())), two_targets, "npy", ".joblib"),
    "one against rest": Case(
        fitted(multiclass.OneVsRestClassifier(L.LogisticRegression())), labelled(["a", "b", "c"]), "", ""
    ),
    "one against one": Case(fitted(multiclass.OneVsOneClassifier(svm.LinearSVC())), labelled([1, 2, 3]), "npy", ""),
    "output code": Case(
        fitted(multiclass.OutputCodeClassifier(L.Perceptron(), random_state=0)), labelled(["a", "b", "c"]), "npy", ""
    ),
    "self-training": Case(
        fitted(semi_supervised.SelfTrainingClassifier(naive_bayes.GaussianNB())), unlabelled, "npy", ""
    ),
    "label spreading": Case(fitted(semi_supervised.LabelSpreading()), unlabelled, "npy", ""),
    "isotonic": Case(
        fitted(isotonic.IsotonicRegression(out_of_bounds="clip")), lambda: (numbers()[:, 0], real()[1]), "npy", ""
    ),
    "dummy": Case(fitted(dummy.DummyClassifier(strategy="prior")), labelled(["a", "b"]), "npy", ""),
    "dummy, random": Case(
        fitted(dummy.DummyRegressor(strategy="median")), real, "list", ".joblib", ("predict",)
    ),
    "pls": Case(fitted(cross_decomposition.PLSRegression(2)), two_targets, "npy", "", ("predict", "transform")),
    # tables and texts
    "mixed columns": Case(
        fitted(_mixed(L.LogisticRegression(), handle_unknown="ignore")), flats, "csv", ".joblib", PROBA,
        layout="columns",
    ),
    "mixed columns, strict": Case(
        fitted(_mixed(tree.DecisionTreeClassifier(max_depth=3))), flats, "parquet", ".pkl", PROBA, layout="columns"
    ),
    "mixed columns, no sample": Case(
        fitted(_mixed(L.LogisticRegression())), flats_of_numbers, "", ".joblib", PROBA, layout="columns"
    ),
    "everything": Case(_people, people, "object", ".joblib", PROBA, layout="columns"),
    "everything from parquet": Case(_people, people, "parquet", "", PROBA, layout="columns"),
    "columns by position": Case(_by_position, objects, "object", ".joblib", PROBA, layout="columns"),
    "own function": Case(
        lambda X, y: pipeline.make_pipeline(
            P.FunctionTransformer(user_functions.ratios), L.LogisticRegression()
        ).fit(X, y),
        named, "csv", ".joblib", layout="columns",
    ),
    "tf-idf": Case(
        fitted(pipeline.make_pipeline(feature_extraction.text.TfidfVectorizer(), L.LogisticRegression())),
        texts, "csv", ".joblib", PROBA, layout="text",
    ),
    "tf-idf, no sample": Case(
        fitted(pipeline.make_pipeline(feature_extraction.text.TfidfVectorizer(), svm.LinearSVC())),
        texts, "", "", layout="text",
    ),
    "hashing": Case(
        fitted(pipeline.make_pipeline(feature_extraction.text.HashingVectorizer(n_features=32), L.SGDClassifier())),
        texts, "json", ".joblib", layout="text",
    ),
    "own cleaning of texts": Case(_own_text, texts, "list", ".joblib", layout="text"),
    "words in a table": Case(_text_columns, reviews, "parquet", ".joblib", PROBA, layout="columns"),
}  # fmt: skip


def fit(case: Case) -> tuple[Any, Any]:
    """The fitted model and ROWS rows it can be asked about."""
    np.random.seed(7)
    X, y = case.data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a fit on 90 rows has not converged
        model = case.fit(X, y)
    return model, X[:ROWS]
