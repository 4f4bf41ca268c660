"""Which images and labels? NumPy only.

dataset          a data set's name or component to its arrays: `load`, `fingerprint`, `shape`
catalogue        the data sets that bench knows: files, checksums, classes, sources
local_files      where their files may already be; checksums of the user's own
download         fetching them from mirrors or Debian's package
file_formats     reading IDX files, EMNIST's zip, CIFAR's tar
readers          data that only files, or a library's hub, tell of: which module reads each kind
image_folder     a folder of images, decoded once
image_file       one image file to its pixels
decoded          many images to arrays of one shape, saved in the user cache
npz              a file of arrays
in_memory        arrays that a Python session gives
prepare          training and validation part; statistics that preprocessing takes from the training part
training_part    which images of the training part are trained on, with which labels: fraction, long tail, label noise
corrupt          corrupted test images
library_sets     what a library finds: labels numbered, decoded once, saved
torchvision_sets, medmnist_files, hugging_face, parquet_files
                 data sets of these libraries and formats
explore          what is in a data set: sizes, classes, pixel values, duplicates
"""

from bench.data.catalogue import DATASETS, DatasetInfo
from bench.data.dataset import Dataset, fetch, fingerprint, labels, load, load_local, shape, train_size

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetInfo",
    "fetch",
    "fingerprint",
    "labels",
    "load",
    "load_local",
    "shape",
    "train_size",
]
