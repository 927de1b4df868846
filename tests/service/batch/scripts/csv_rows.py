import glob
import os

import joblib
import pandas as pd


def init():
    global model
    model_path = os.environ["AZUREML_MODEL_DIR"]
    model_file = glob.glob(f"{model_path}/*/*.joblib")[-1]
    model = joblib.load(model_file)


def run(mini_batch):
    print(f"run method start: {__file__}, run({mini_batch})")
    results = []
    for raw_file in mini_batch:
        data = pd.read_csv(raw_file)
        pred = model.predict(data)
        data["prediction"] = pred
        data["file"] = os.path.basename(raw_file)
        results.append(data)
    return pd.concat(results)
