"""Which pixels and labels? Catalogue, fetching, the user's own data, splits, fitted preprocessing; NumPy only."""

from bench.data.catalogue import DATASETS, DatasetInfo
from bench.data.dataset import Dataset, fetch, fingerprint, load, load_here, shape, train_labels, train_size

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetInfo",
    "fetch",
    "fingerprint",
    "load",
    "load_here",
    "shape",
    "train_labels",
    "train_size",
]
