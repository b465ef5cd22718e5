"""MNIST in its official layout: four idx files, compressed or not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import fsspec
import pyarrow as pa

from data.adapters.arrays import Pixels, listed_rows, read_rows
from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.held import Held
from data.adapters.idx import idx_shape, load_idx
from data.adapters.png import png_size
from data.adapters.stamps import stamp_of
from data.taxonomy import Retrieval

FILES: Final[Mapping[str, tuple[str, str]]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Pictures and labels of each split."""

FOLDERS: Final = ("", "raw/", "MNIST/raw/")
"""Where below the root they may lie: as they are published, or as torchvision puts them."""


class Mnist(Columnar):
    """Ten digits in 28x28 grey pixels; a picture is relevant to those of its digit.

    The root is the folder of the four files, ``{train,t10k}-{images-idx3,labels-idx1}-ubyte``, with
    ``.gz`` or without, or one in which torchvision has put them (``MNIST/raw``). ``images`` is
    (N, 28, 28) uint8, white on black; ``labels`` (N,) uint8. Keys are ``train/00000`` to
    ``train/59999`` and ``test/00000`` to ``test/09999``.

    The dataset holds pixels and no image files, so a picture is handed out as a grey PNG that is
    made on the spot, as `data.adapters.cifar10` does. A uri is ``FILE#ROW``.
    """

    card = Card(
        name="mnist",
        about="70,000 handwritten digits of 28x28 grey pixels.",
        labels="exactly one of ten digits, nearly balanced; the same digit is relevant",
        says=("single",),
        retrievals=(Retrieval.SEMANTIC, Retrieval.ASYMMETRIC),
        cite="LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document "
        "Recognition, Proceedings of the IEEE, 1998",
        home="http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
        access="open",
        splits={"train": 60_000, "test": 10_000},
        sources=(
            Source(
                url="https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
                holds="pictures",
                splits=("train",),
                bytes=9_912_422,
                md5="f68b3c2dcbeaaa9fbdd348bbdeb94873",
                sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            Source(
                url="https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
                holds="labels",
                splits=("train",),
                bytes=28_881,
                md5="d53e105ee54ea40749a09fcbcd1e9432",
                sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            Source(
                url="https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
                holds="pictures",
                splits=("test",),
                bytes=1_648_877,
                md5="9fb629c4189551a2d022fa330f9573f3",
                sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            Source(
                url="https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
                holds="labels",
                splits=("test",),
                bytes=4_542,
                md5="ec29112dd5afa0611ce80d1b7f02629c",
                sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        layout="The four files, packed as they are published or not, in the root, in raw or in "
        "MNIST/raw.",
        marks=("train-images-idx3-ubyte*", "t10k-images-idx3-ubyte*"),
        verified="real files",
        proof="All four official files by their digests: 70,000 pictures and labels, packed and "
        "unpacked.",
        traps=(
            "The author's own server refuses most clients: the address is a mirror, and the "
            "digests prove that it holds the same bytes.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The rows of each split; labels are read, and of the pictures their number.

        Raises:
            FileNotFoundError: one of the files is missing; names it.
            ValueError: a file is damaged, or pictures and labels are not as many; names them.
        """
        for split in filter(self.wants, FILES):
            images, labels = (_found(self.root, name) for name in FILES[split])
            shape, digits = idx_shape(images), load_idx(labels)
            if len(shape) != 3 or digits.shape != shape[:1]:
                raise ValueError(
                    f"{images} holds an array {shape} and {labels} one of {digits.shape}: they "
                    "should be (N, H, W) pictures and (N,) labels."
                )
            names = pa.array(digits).cast(pa.string())
            size = png_size(shape[1], shape[2], 1)
            yield from listed_rows(images, split, names, size, stamp_of(images))

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS as PNG; a file is unpacked once while the uris stay with it."""
        return read_rows(uris, _pictures)


def _found(root: str, name: str) -> str:
    """Where under ROOT the file NAME lies, packed or not."""
    fs, path = fsspec.url_to_fs(root)
    for folder in FOLDERS:
        for suffix in ("", ".gz"):
            if fs.exists(f"{path}/{folder}{name}{suffix}"):
                return f"{root}/{folder}{name}{suffix}"
    raise FileNotFoundError(f"No {name} or {name}.gz in {root}, nor in its raw or MNIST/raw.")


def _array(path: str) -> Pixels:
    pictures = load_idx(path)
    if pictures.ndim != 3 or pictures.dtype != "u1":
        raise ValueError(f"{path} holds {pictures.shape} {pictures.dtype}: no pictures.")
    return pictures


_pictures: Final = Held(_array, len(FILES))
"""The pictures of both splits, 55 MB."""
