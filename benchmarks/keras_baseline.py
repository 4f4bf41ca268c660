"""Does document B's baseline depend on its seed as much in Keras as here? The document's lines, several seeds.

Runs in an environment of its own, which has nothing of bench:

    python -m venv /tmp/keras && /tmp/keras/bin/pip install tensorflow-cpu
    /tmp/keras/bin/python benchmarks/keras_baseline.py FOLDER [SEEDS] [EPOCHS]

FOLDER holds Fashion-MNIST's .gz files; `bench data fetch fashion_mnist` says where. Prints validation accuracy by
epoch. Keras 3's Normalization no longer broadcasts to one channel per column, so that is written out.
"""

import gzip
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import Dense, Flatten, Lambda
from tensorflow.keras.optimizers import SGD

TRAIN = 48_000
folder = Path(sys.argv[1])
seeds, epochs = (int(text) for text in (*sys.argv[2:], "4", "5")[:2])


def read(name: str, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8, offset=header)


images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
labels = tf.keras.utils.to_categorical(read("train-labels-idx1-ubyte.gz", 8))
mean = images[:TRAIN].mean((0, 1), dtype=np.float64).astype(np.float32)
deviation = images[:TRAIN].std((0, 1), dtype=np.float64).astype(np.float32)

print(f"tensorflow {tf.__version__}, keras {tf.keras.__version__}")
for seed in range(seeds):
    tf.keras.utils.set_random_seed(seed)
    inputs = Input((28, 28))
    x = Lambda(lambda t: (tf.cast(t, tf.float32)[..., None] - mean) / deviation, output_shape=(28, 28, 28))(inputs)
    x = Flatten()(x)
    for _ in range(3):
        x = Dense(128, "relu")(x)
    model = Model(inputs, Dense(10, "softmax")(x))
    model.compile(SGD(learning_rate=0.01, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    fitted = model.fit(
        images[:TRAIN],
        labels[:TRAIN],
        epochs=epochs,
        batch_size=64,
        validation_data=(images[TRAIN:], labels[TRAIN:]),
        verbose=0,
    )
    curve = fitted.history["val_accuracy"]
    print(f"seed {seed}: {' '.join(f'{value:.4f}' for value in curve)}; best {max(curve):.4f}", flush=True)
