import numpy as np


def worst_class(predictions):
    """The lowest accuracy of a class."""
    return min(predictions.correct[predictions.labels == c].mean() for c in np.unique(predictions.labels))
