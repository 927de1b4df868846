"""Small Keras models of every kind the generator takes. TensorFlow is imported where one is built, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def tabular() -> Any:
    """A Sequential on rows of four numbers, one number out."""
    import keras

    return keras.Sequential(
        [keras.Input((4,), name="rows"), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
    )


def image() -> Any:
    """A small CNN on CIFAR-10-shaped images, with layers that behave otherwise in training."""
    import keras

    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def late_built() -> Any:
    """A Sequential without an Input, built by its first call."""
    import keras
    import numpy as np

    model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    model(np.zeros((2, 5), dtype="float32"))
    return model


def functional() -> Any:
    """A Functional model with a residual connection."""
    import keras

    inputs = keras.Input((6,), name="features")
    hidden = keras.layers.Dense(6, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Add()([inputs, hidden])))


def several() -> Any:
    """Two inputs of different types, two named outputs."""
    import keras

    numbers = keras.Input((3,), name="numbers")
    ids = keras.Input((2,), dtype="int32", name="ids")
    embedded = keras.layers.Flatten()(keras.layers.Embedding(10, 4)(ids))
    joined = keras.layers.Concatenate()([numbers, embedded])
    return keras.Model(
        [numbers, ids],
        [keras.layers.Dense(1, name="price")(joined), keras.layers.Dense(3, activation="softmax", name="kind")(joined)],
    )


def dicts() -> Any:
    """Inputs and outputs as dicts; the outputs' keys are not their layers' names."""
    import keras

    numbers = keras.Input((3,), name="numbers")
    other = keras.Input((1,), name="other")
    joined = keras.layers.Concatenate()([numbers, other])
    return keras.Model(
        {"numbers": numbers, "other": other},
        {"price": keras.layers.Dense(1, name="dense_p")(joined), "kind": keras.layers.Dense(2, name="dense_k")(joined)},
    )


def sequence() -> Any:
    """Sequences of any length: a dimension besides the batch is free."""
    import keras

    inputs = keras.Input((None, 3), name="steps")
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.LSTM(4)(inputs)))


def normalised() -> Any:
    """A preprocessing layer adapted to data, inside the model."""
    import keras
    import numpy as np

    scale = keras.layers.Normalization(axis=-1)
    scale.adapt(np.arange(12, dtype="float32").reshape(4, 3))
    return keras.Sequential([keras.Input((3,), name="raw"), scale, keras.layers.Dense(2)])


def texts() -> Any:
    """Texts, a flag and numbers in, by way of a layer that splits texts itself."""
    import keras

    text = keras.Input((1,), dtype="string", name="text")
    flag = keras.Input((1,), dtype="bool", name="flag")
    words = keras.layers.TextVectorization(max_tokens=20, output_sequence_length=4)
    words.adapt(["good bad fine", "fine good"])
    counted = keras.ops.cast(words(text), "float32")
    joined = keras.layers.Concatenate()([counted, keras.ops.cast(flag, "float32")])
    return keras.Model([text, flag], keras.layers.Dense(2)(joined))


MODELS: dict[str, Callable[[], Any]] = {
    build.__name__: build
    for build in (tabular, image, late_built, functional, several, dicts, sequence, normalised, texts)
}
