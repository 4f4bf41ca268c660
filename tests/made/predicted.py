"""Predictions of four images of class 0, all right: what a trial that counts as complete must have left."""

from __future__ import annotations

import numpy as np

from bench.metrics import Predictions

_CLASSES, _SURE = np.zeros(4, np.uint8), np.ones(4, np.float32)
RIGHT = Predictions(_CLASSES, _CLASSES, _SURE, _SURE, _CLASSES)
