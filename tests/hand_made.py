"""A bundle made by hand: small, and the same on every machine. Nothing can be scored with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.bundle import (
    MANIFEST,
    Bundle,
    Manifest,
    Method,
    ModelInfo,
    SampleInfo,
    Signature,
    TensorSpec,
    hash_files,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = {
    "score.py": "def init() -> None: ...\n\n\ndef run(raw_data: str) -> str:\n    return raw_data\n",
    "batch_score.py": "def init() -> None: ...\n",
    "requirements.txt": "numpy==2.4.6\nscikit-learn==1.9.1\n",
    "sample_request.json": '{"data": [[1, 2, 3, 4]]}\n',
    "model/model.joblib": "no real model\n",
}


def hand_made_bundle(folder: Path, more: Mapping[str, str] | None = None) -> Bundle:
    """Write it to `folder`, with `more` files (texts by path), together with a file that is not of it."""
    contents = {**FILES, **(more or {})}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    (folder / "left-behind.txt").write_text("not in the manifest\n", "utf-8")
    files = {name: digest for name, digest in hash_files(folder).items() if name in contents}
    number = TensorSpec(name="data", dtype="float64", shape=(None, 4))
    manifest = Manifest(
        name="Iris.Tree",
        version="3",
        generator="scorewright 0.1.0",
        framework="scikit-learn",
        runtime="native",
        model=ModelInfo(path="model/model.joblib", format="joblib", kind="DecisionTreeClassifier"),
        versions={"python": "3.11.7", "numpy": "2.4.6", "scikit-learn": "1.9.1"},
        signature=Signature(
            layout="array",
            inputs=(number,),
            methods={"predict": Method(outputs=(number,))},
            default_method="predict",
        ),
        sample=SampleInfo(source="given", rows=1),
        files=files,
    )
    (folder / MANIFEST).write_text(manifest.to_json(), "utf-8")
    return Bundle.load(folder)
