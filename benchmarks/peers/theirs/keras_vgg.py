"""Document B's customVGG in Keras, trained when told to. Runs where bench is not.

``keras_vgg.py PICTURES.npz``: each line read, "POLICY COUNT" (``float32 2560`` or ``mixed_bfloat16 2560``), trains one
epoch of the first COUNT images and answers with two numbers: seconds until the last batch was trained, and those of
`fit`, which may wait for something after that. The network of a policy is made, and its first
epoch of COUNT images trained, before that: compiling is not counted. Keras 3's Normalization no longer broadcasts to
one channel per column, so that is written out; the rest are the document's lines.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from keras import Input, Model, Sequential
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Lambda, MaxPool2D, ReLU
from keras.optimizers import SGD

with np.load(sys.argv[1]) as data:
    images = data["train_images"]
    labels = keras.utils.to_categorical(data["train_labels"])
mean = images[:48_000].mean((0, 1), dtype=np.float64).astype(np.float32)
deviation = images[:48_000].std((0, 1), dtype=np.float64).astype(np.float32)


def vgg_block(num_convs, num_channels):
    blk = Sequential()
    for _ in range(num_convs):
        blk.add(Conv2D(num_channels, kernel_size=3, padding="same", activation="relu"))
        blk.add(BatchNormalization())
        blk.add(ReLU())
    blk.add(MaxPool2D(pool_size=2, strides=2))
    return blk


def custom_vgg():
    inputs = Input((28, 28))
    x = Lambda(lambda t: (tf.cast(t, tf.float32)[..., None] - mean) / deviation, output_shape=(28, 28, 28))(inputs)
    x = vgg_block(2, 32)(x)
    x = vgg_block(2, 64)(x)
    x = vgg_block(3, 128)(x)
    x = vgg_block(3, 256)(x)
    x = Flatten()(x)
    x = Dense(256, "relu")(x)
    x = Dropout(0.3)(x)
    outputs = Dense(10, "softmax", dtype="float32")(x)  # as Keras's guide to mixed precision asks
    model = Model(inputs, outputs)
    model.compile(SGD(learning_rate=0.01, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


class Watch(keras.callbacks.Callback):
    def on_train_batch_end(self, *_):
        self.last = time.perf_counter()


models = {}
for order in sys.stdin:
    policy, text = order.split()
    count = int(text)
    if policy not in models:
        keras.mixed_precision.set_global_policy(policy)
        models[policy] = custom_vgg()
        models[policy].fit(images[:count], labels[:count], epochs=1, batch_size=64, verbose=0)
    watch, start = Watch(), time.perf_counter()
    models[policy].fit(images[:count], labels[:count], epochs=1, batch_size=64, verbose=0, callbacks=[watch])
    print(watch.last - start, time.perf_counter() - start, flush=True)
