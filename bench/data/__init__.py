"""Which pixels and labels? Catalogue, fetching, checksums, splits and fitted preprocessing; NumPy only."""

from bench.data.catalogue import DATASETS, DatasetInfo, fingerprint
from bench.data.dataset import Dataset, fetch, load

__all__ = ["DATASETS", "Dataset", "DatasetInfo", "fetch", "fingerprint", "load"]
