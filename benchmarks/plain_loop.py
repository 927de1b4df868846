"""What a user writes instead: `python -m benchmarks.plain_loop MODEL INPUT OUTPUT`, a loop of the model over chunks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 100_000
IMAGES = 1000


def main(model_path: Path, source: Path, output: Path) -> None:
    """Score every row of the files of a folder, chunk by chunk, in this process, and write one parquet file."""
    if model_path.suffix == ".keras":
        import keras

        network = keras.saving.load_model(model_path)
        answers = [network.predict(chunk, verbose=0) for chunk in _images(source)]
    else:
        import joblib

        model = joblib.load(model_path)
        answers = [model.predict_proba(chunk) for chunk in _tables(source)]
    names = [f"predict_proba_{place}" for place in range(answers[0].shape[1])]
    pd.DataFrame(np.concatenate(answers), columns=names).to_parquet(output)


def _tables(source: Path) -> Iterator[pd.DataFrame]:
    for path in sorted(source.iterdir()):
        if path.suffix == ".csv":
            yield from pd.read_csv(path, chunksize=ROWS)
        else:
            import pyarrow.parquet as pq

            for batch in pq.ParquetFile(path).iter_batches(ROWS):
                yield batch.to_pandas()


def _images(source: Path) -> Iterator[np.ndarray[Any, Any]]:
    for path in sorted(source.iterdir()):
        images = np.load(path, mmap_mode="r")
        for start in range(0, len(images), IMAGES):
            yield np.asarray(images[start : start + IMAGES])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
