"""Document B's search with KerasTuner, reduced. Runs where bench is not.

``keras_search.py PICTURES.npz EPOCHS TRIALS SEED FOLDER``: Hyperband of at most EPOCHS epochs and TRIALS trials (0: as
many as it wants), the document's space and network; the last fifth of the images validates. The document's early
stopping waits for 10 epochs, which a search of 9 never reaches. What KerasTuner prints goes before the JSON.
"""

import json
import math
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import keras_tuner as kt
import numpy as np
import tensorflow as tf
from keras import Input, Model, Sequential
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Lambda, MaxPool2D, ReLU
from keras.optimizers import SGD
from keras.optimizers.schedules import CosineDecay
from keras.regularizers import l2

path, folder = sys.argv[1], sys.argv[5]
max_epochs, max_trials, seed = (int(text) for text in sys.argv[2:5])
keras.utils.set_random_seed(seed)
with np.load(path) as data:
    images, labels = data["train_images"], keras.utils.to_categorical(data["train_labels"])
cut = len(images) * 4 // 5
x_train, y_train, x_val, y_val = images[:cut], labels[:cut], images[cut:], labels[cut:]
mean = x_train.mean((0, 1), dtype=np.float64).astype(np.float32)
deviation = x_train.std((0, 1), dtype=np.float64).astype(np.float32)
steps_per_epoch = math.ceil(cut / 64)


def vgg_block_l2(num_convs, num_channels, weight_decay):
    blk = Sequential()
    for _ in range(num_convs):
        blk.add(Conv2D(num_channels, 3, padding="same", activation="relu", kernel_regularizer=l2(weight_decay)))
        blk.add(BatchNormalization())
        blk.add(ReLU())
    blk.add(MaxPool2D(pool_size=2, strides=2))
    return blk


def tune_vgg_model(hp):
    weight_decay = hp.Float("weight_decay", min_value=3e-4, max_value=1e-2, sampling="log")
    learning_rate = hp.Float("learning_rate", min_value=1e-3, max_value=1e-1, sampling="log")
    scheduler = CosineDecay(learning_rate, max_epochs * steps_per_epoch)
    inputs = Input((28, 28))
    x = Lambda(lambda t: (tf.cast(t, tf.float32)[..., None] - mean) / deviation, output_shape=(28, 28, 28))(inputs)
    x = vgg_block_l2(2, 32, weight_decay)(x)
    x = vgg_block_l2(2, 64, weight_decay)(x)
    x = vgg_block_l2(3, 128, weight_decay)(x)
    x = vgg_block_l2(3, 256, weight_decay)(x)
    x = Flatten()(x)
    x = Dense(256, "relu")(x)
    x = Dropout(0.3)(x)
    outputs = Dense(10, "softmax")(x)
    model = Model(inputs, outputs)
    model.compile(SGD(learning_rate=scheduler, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


ended = []  # when each epoch ended, in seconds of the clock, and its validation accuracy


class Noted(keras.callbacks.Callback):
    def on_epoch_end(self, _, logs=None):
        ended.append((time.time(), logs["val_accuracy"]))


first = time.time()
tuner = kt.Hyperband(
    tune_vgg_model, objective="val_accuracy", max_epochs=max_epochs, seed=seed, overwrite=True, directory=folder,
    project_name="fashion_vgg",
)  # fmt: skip
if max_trials:
    tuner.oracle.max_trials = max_trials
tuner.search(
    x_train, y_train, validation_data=(x_val, y_val), epochs=max_epochs, batch_size=64, verbose=0, callbacks=[Noted()]
)
trials = list(tuner.oracle.trials.values())
values = [trial.hyperparameters.values for trial in trials]
if failed := [trial.message for trial in trials if trial.status != "COMPLETED"]:
    sys.exit(f"{len(failed)} trials failed: {failed[0]}")
best = tuner.oracle.get_best_trials(1)[0]
found = {
    "first": first,
    "last": time.time(),
    "trials": len(trials),
    "configurations": sum(value["tuner/initial_epoch"] == 0 for value in values),
    "trial_epochs": sum(value["tuner/epochs"] - value["tuner/initial_epoch"] for value in values),
    "best": best.score,
    "ended": ended,
    "chosen": {name: best.hyperparameters.values[name] for name in ("weight_decay", "learning_rate")},
}
print()
print(json.dumps(found))
