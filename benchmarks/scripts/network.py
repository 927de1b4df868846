import json
import os

import keras
import numpy as np


def init():
    global model
    model = keras.models.load_model(os.path.join(os.getenv("AZUREML_MODEL_DIR"), "model.keras"))


def run(raw_data):
    data = np.array(json.loads(raw_data)["data"])
    return model.predict(data, verbose=0).tolist()
