"""A small CIFAR-10 CNN, saved as .h5 by a checkpoint of the best validation loss: from fit() to scored requests.

Run it with `make demo MODEL=cifar10`, or `python examples/cifar10.py [FOLDER]`. The real data set is used where it
can be fetched; elsewhere images of the same shape are made on the spot, and the example says which.
"""

from __future__ import annotations

import os
import socket
import sys
import urllib.error
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from walkthrough import walk_through

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGES = 4000
Images = np.ndarray[Any, np.dtype[np.float32]]
Labels = np.ndarray[Any, np.dtype[np.int64]]


def data() -> tuple[Images, Labels, str]:
    """Images from 0 to 1 of shape (n, 32, 32, 3), their labels, and where they come from."""
    try:
        reachable()
        (images, labels), _ = keras.datasets.cifar10.load_data()
    except (OSError, urllib.error.URLError) as error:
        reason = f"the CIFAR-10 data set cannot be fetched here ({error})"
        return *made(), f"images of CIFAR-10's shape, made on the spot: {reason}"
    return images[:IMAGES].astype("float32") / 255, labels[:IMAGES, 0].astype("int64"), "the CIFAR-10 data set"


def reachable() -> None:
    """Raise OSError within seconds where the data set's host is out of reach; Keras alone would try for minutes."""
    if not (Path.home() / ".keras/datasets/cifar-10-batches-py").is_dir():
        socket.create_connection(("www.cs.toronto.edu", 443), timeout=5).close()


def made() -> tuple[Images, Labels]:
    """Noisy images, each class a colour with stripes of its own direction and width."""
    random = np.random.default_rng(0)
    labels = random.integers(0, len(CLASSES), IMAGES)
    colours = random.uniform(0.2, 0.8, (len(CLASSES), 3))
    x, y = np.meshgrid(np.arange(32), np.arange(32))
    angles = np.pi * labels / len(CLASSES)
    phase = x * np.cos(angles)[:, None, None] + y * np.sin(angles)[:, None, None]
    stripes = np.sin(phase * (0.3 + 0.05 * labels)[:, None, None])
    images = colours[labels][:, None, None, :] + 0.2 * stripes[..., None] + random.normal(0, 0.1, (IMAGES, 32, 32, 3))
    return images.clip(0, 1).round(3).astype("float32"), labels


def train(folder: Path) -> tuple[Path, Path, Images, Labels]:
    """Fit the network; returns the best checkpoint, a sample npy, and a few images with labels it was not fitted on."""
    images, labels, source = data()
    print(f"Training on {source}", flush=True)
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3), name="image"),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(len(CLASSES), activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model, sample = folder / "cifar10.h5", folder / "sample.npy"
    best = keras.callbacks.ModelCheckpoint(str(model), monitor="val_loss", save_best_only=True)
    fitted, held = slice(None, IMAGES * 3 // 4), slice(IMAGES * 3 // 4, None)
    network.fit(
        images[fitted],
        labels[fitted],
        validation_data=(images[held], labels[held]),
        epochs=3,
        batch_size=64,
        callbacks=[best],
        verbose=2,
    )
    np.save(sample, images[:2])
    return model, sample, images[held][:3], labels[held][:3]


def main(folder: Path) -> dict[str, Any]:
    """Train, generate, check, serve and score; returns the answers."""
    folder.mkdir(parents=True, exist_ok=True)
    model, sample, images, labels = train(folder)
    requests = {
        f"an image of class {label} ({CLASSES[label]})": {"data": [_plain(image)]}
        for image, label in zip(images, labels.tolist(), strict=True)
    }
    answers = walk_through(model, sample, folder / "cifar10", requests)
    print()
    for title, answer in answers.items():
        best = int(np.argmax(answer["predict"][0]))
        print(f"{title}: the model says {best} ({CLASSES[best]})")
    return answers


def _plain(image: Images) -> list[Any]:
    """The image as nested lists, to three decimals."""
    values: list[Any] = image.astype("float64").round(3).tolist()
    return values


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
