"""Which images and labels? NumPy only.

dataset          a data set's name or component to its arrays: `load`, `fingerprint`, `shape`
catalogue        the data sets that bench knows: files, checksums, classes, sources
local_files      where their files may already be; checksums of the user's own
download         fetching them from mirrors or Debian's package
file_formats     reading IDX files, EMNIST's zip, CIFAR's tar
image_folder     a folder of images, decoded once
image_file       one image file to its pixels
npz              a file of arrays
in_memory        arrays that a Python session gives
prepare          training and validation part; statistics that preprocessing takes from the training part
explore          what is in a data set: sizes, classes, pixel values, duplicates
"""

from bench.data.catalogue import DATASETS, DatasetInfo
from bench.data.dataset import Dataset, fetch, fingerprint, load, load_local, shape, train_labels, train_size

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetInfo",
    "fetch",
    "fingerprint",
    "load",
    "load_local",
    "shape",
    "train_labels",
    "train_size",
]
