"""The sources of pictures: one file and one line of the table each."""

from collections.abc import Mapping
from typing import Any, Final

from data.adapters.base import Dataset
from data.adapters.cifar10 import Cifar10
from data.adapters.coco import Coco
from data.adapters.flickr8k import Flickr8k
from data.adapters.folder import Folder
from data.adapters.listed import Listed
from data.adapters.mirflickr1m import Mirflickr1m
from data.adapters.mirflickr25k import Mirflickr25k
from data.adapters.mnist import Mnist
from data.adapters.nuswide import Nuswide
from data.adapters.svhn import Svhn
from data.adapters.tars import Tars
from data.taxonomy import choose

DATASETS: Final[Mapping[str, type[Dataset]]] = {
    "cifar10": Cifar10,
    "coco": Coco,
    "flickr8k": Flickr8k,
    "folder": Folder,
    "list": Listed,
    "mirflickr1m": Mirflickr1m,
    "mirflickr25k": Mirflickr25k,
    "mnist": Mnist,
    "nuswide": Nuswide,
    "svhn": Svhn,
    "tars": Tars,
}


def open_dataset(name: str, root: str, options: Mapping[str, Any]) -> Dataset:
    """The source that NAME, ROOT and OPTIONS stand for; nothing is read before it is asked.

    Raises:
        ValueError: an unknown dataset, option or split; names the choices.
    """
    return choose(DATASETS, name, "dataset")(root, **options)
