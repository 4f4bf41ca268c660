"""Document E's sweep as its author would write it: a loop of Keras `fit` calls. Runs where bench is not.

``keras_sweep.py PICTURES.npz EPOCHS POINTS``: POINTS is JSON, [[penalty, dropout rate, batch size], ...]. The progress
bar is left out, which favours Keras; else the lines are the document's, with its two regularizers put together.
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
from keras import callbacks, layers, models
from keras.regularizers import l2

with np.load(sys.argv[1]) as data:
    x_train = data["train_images"].reshape(-1, 28 * 28) / 255.0
    x_test = data["test_images"].reshape(-1, 28 * 28) / 255.0
    y_train, y_test = data["train_labels"], data["test_labels"]

epochs, runs, ends = int(sys.argv[2]), [], []
note_end = callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.time()))
per_epoch, first = 0.0, time.time()
for strength, rate, batch_size in json.loads(sys.argv[3]):
    model = models.Sequential(
        [
            layers.Input(shape=(28 * 28,)),
            layers.Dense(128, activation="relu", kernel_regularizer=l2(strength)),
            layers.Dropout(rate),
            layers.Dense(64, activation="relu", kernel_regularizer=l2(strength)),
            layers.Dropout(rate),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    ends.clear()
    history = model.fit(
        x_train,
        y_train,
        validation_split=0.2,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        callbacks=[note_end],
    )
    if epochs > 1:  # the first epoch compiles
        per_epoch += (ends[-1] - ends[0]) / (epochs - 1)
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    runs.append([strength, rate, batch_size, accuracy])
print(json.dumps({"first": first, "last": time.time(), "trials": len(runs), "per_epoch": per_epoch, "runs": runs}))
