import argparse
import os
from pathlib import Path

import joblib
import pandas as pd
from azureml_user.parallel_run import EntryScript


def init():
    global model, output_path, logger, threshold
    parser = argparse.ArgumentParser()
    parser.add_argument("--threshold", type=float, required=True)
    args, _ = parser.parse_known_args()
    threshold = args.threshold
    output_path = os.environ["AZUREML_BI_OUTPUT_PATH"]
    model = joblib.load(next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("*.joblib")))
    logger = EntryScript().logger
    logger.info("init() is done")


def run(mini_batch):
    for file_path in mini_batch:
        data = pd.read_csv(file_path)
        data["prediction"] = model.predict_proba(data)[:, 1] > threshold
        output_file_name = Path(file_path).stem
        output_file_path = os.path.join(output_path, output_file_name + ".parquet")
        data.to_parquet(output_file_path)
        logger.info("wrote %s", output_file_path)
    return mini_batch
