import os
from os.path import basename

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.keras.models import load_model


def init():
    global model
    global input_width
    global input_height
    model_path = os.path.join(os.environ["AZUREML_MODEL_DIR"], "model")
    model_file = [name for name in os.listdir(model_path) if name.endswith(".keras")][0]
    model = load_model(os.path.join(model_path, model_file))
    input_width, input_height = model.input_shape[1:3]


def decode_img(file_path):
    file = tf.io.read_file(file_path)
    img = tf.io.decode_png(file, channels=3)
    img = tf.image.resize(img, [input_width, input_height])
    return img / 255.0


def run(mini_batch):
    images_ds = tf.data.Dataset.from_tensor_slices(mini_batch)
    images_ds = images_ds.map(decode_img).batch(64)
    pred = model.predict(images_ds, verbose=0)
    pred_prob = tf.math.reduce_max(tf.math.softmax(pred, axis=-1)).numpy()
    pred_class = tf.math.argmax(pred, axis=-1).numpy()
    return pd.DataFrame(
        [mini_batch, np.repeat(pred_prob, len(mini_batch)), pred_class], index=["file", "probability", "class"]
    ).T.assign(file=lambda frame: frame["file"].map(basename))
