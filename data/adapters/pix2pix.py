"""The pairs of pix2pix, of shoes and of handbags: a drawing and its photograph in one file."""

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal

import fsspec
import numpy as np
import pyarrow as pa
from pydantic import Field

from data.adapters.arrays import Pixels
from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.columns import at_most_one, listing_batch
from data.adapters.files import Run
from data.adapters.named import ARCHIVES, place_in
from data.adapters.objects import files_under
from data.adapters.packed import read_packed
from data.adapters.png import png, png_size
from data.adapters.runs import archive_rows, runs_of
from data.taxonomy import Retrieval

SIDE: Final = 256
SIZE: Final = png_size(SIDE, SIDE, 3)
"""Bytes of every half as `Pix2Pix.read` gives it."""

HALVES: Final[Mapping[str, slice]] = {"left": slice(0, SIDE), "right": slice(SIDE, 2 * SIDE)}
PARTS: Final = ("train", "val")
SETS: Final = ("edges2shoes", "edges2handbags")
HOME: Final = "https://efrosgans.eecs.berkeley.edu/pix2pix/datasets"


class Pix2PixOptions(Options):
    """How the halves lie."""

    drawing: Literal["left", "right"] = Field(
        "left", description="the half that is the drawing: left in the official files"
    )


class Pix2Pix(Columnar):
    """A drawing asks, and the photograph that it was made from answers.

    The root is ``edges2shoes.tar.gz`` or ``edges2handbags.tar.gz``, or holds one of them as it was
    downloaded, which is read in place; or it is the folder that is in it. ``train`` and ``val``
    hold ``1_AB.jpg`` and so on, 512x256, drawing and photograph side by side. Each half is a
    picture of its own, of split ``sketch-train``, ``photo-train``, ``sketch-val`` or
    ``photo-val``; both carry the pair as their label, ``val/1``. Keys are ``sketch-val/1``; the
    halves of a file follow each other, in the order of the files' names, or as they lie in the
    archive.

    A half has no bytes of its own, so it is handed out as a PNG of its pixels without compression,
    as `data.adapters.png` writes it. A uri is ``FILE#left`` or ``FILE#right``; the two in turn cost
    one decoding.
    """

    card = Card(
        name="pix2pix",
        about="Photographs of shoes (50,025) or handbags (138,767), each beside its edges.",
        labels="the pair; a drawing and the photograph that it was made from, and no other",
        says=("single",),
        retrievals=(Retrieval.SKETCH_BASED, Retrieval.INSTANCE),
        cite="Isola, Zhu, Zhou, Efros, Image-to-Image Translation with Conditional Adversarial "
        "Networks, CVPR 2017; shoes of Yu and Grauman, CVPR 2014; handbags of Zhu et al., "
        "ECCV 2016",
        home="https://phillipi.github.io/pix2pix/",
        licence="none stated by the authors; shoes are those of UT-Zap50K",
        terms="For academic, non-commercial use. Drawings are made by a machine from the very "
        "photograph, which flatters any result.",
        access="open",
        splits={
            "sketch-train": 49_825,
            "photo-train": 49_825,
            "sketch-val": 200,
            "photo-val": 200,
        },
        sources=(
            Source(
                url=f"{HOME}/edges2shoes.tar.gz",
                holds="all pairs",
                form="shoes",
                md5="71da478b54fedde126e234a2a050bc15",
            ),
            Source(
                url=f"{HOME}/edges2handbags.tar.gz",
                holds="all pairs",
                form="handbags",
                md5="815592f22fa7f7534a286a25bb73bf03",
            ),
        ),
        layout="The .tar.gz of one set as it was downloaded, or the folder that is in it, with "
        "train and val. The splits count the shoes; "
        "handbags are 138,567 and 200 pairs.",
        marks=("edges2shoes*", "edges2handbags*", "*_AB.jpg"),
        verified="part of the real files",
        proof="400 real pairs of both sets, whose halves lie the other way round: each half "
        "against the pixels of the file, and its digest.",
        traps=(
            "Copies exist with the halves the other way round: the option drawing says which.",
            "A half is decoded, so its bytes follow from the JPEG decoder too; a test holds the "
            "digest of one.",
        ),
    )
    takes = Pix2PixOptions
    options: Pix2PixOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The halves of each file; no file is read.

        Raises:
            FileNotFoundError: the folder of a split is missing; names it.
            ValueError: the archive is cut, or a file has another name than those of pairs.
        """
        for where, run in _runs(self.root, [half for half in PARTS if self._asks(half)]):
            yield self.of_wanted_splits(_batch(where, run, self.options.drawing))

    def _asks(self, half: str) -> bool:
        return any(self.wants(f"{kind}-{half}") for kind in ("sketch", "photo"))

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The halves of URIS as PNG."""
        held, pixels = "", None
        for uri in uris:
            path, _, half = uri.rpartition("#")
            try:
                if path != held or pixels is None:
                    held, pixels = "", None
                    pixels = _pixels(path)
                    held = path
                if half not in HALVES:
                    raise OSError(f"{uri} is no half of a pair: left or right.")
                content = png(pixels[:, HALVES[half]])
            except OSError as error:
                yield error
            else:
                yield content


def _runs(root: str, halves: Sequence[str]) -> Iterator[tuple[str, Run]]:
    """Where they lie, and the files of HALVES; keys are ``HALF/NUMBER_AB.jpg``."""
    archive = _archive(root)
    missing = set(halves)
    if archive:
        for run in runs_of(archive_rows(archive, partial(_key, halves))):
            missing.difference_update(key.partition("/")[0] for key in run.keys)
            yield archive, run
        if missing:
            raise FileNotFoundError(f"No {min(missing)} of pix2pix in {archive}.")
        return
    for half in halves:
        place = place_in(root, f"{half} of pix2pix", half)
        for run in files_under(place, frozenset({"jpg"}), "all"):
            run.keys = [f"{half}/{key}" for key in run.keys]
            yield place, run


def _archive(root: str) -> str:
    """The archive that ROOT is, or that it holds instead of folders; empty where there is none."""
    if root.endswith(ARCHIVES):
        return root
    fs, path = fsspec.url_to_fs(root)
    if any(fs.isdir(f"{path}/{half}") for half in PARTS):
        return ""
    names = (f"{one}{suffix}" for suffix in (".tar", ".tar.gz") for one in SETS)
    return next((f"{root}/{name}" for name in names if fs.exists(f"{path}/{name}")), "")


def _key(halves: Sequence[str], name: str) -> str:
    """What the file NAME of an archive is called below the folder of its set."""
    half, slash, file = name.removeprefix("./").partition("/")[2].partition("/")
    wanted = slash and half in halves and file.endswith(".jpg")
    return f"{half}/{file}" if wanted else ""


def _batch(where: str, run: Run, drawing: str) -> pa.RecordBatch:
    """The halves of the files of RUN, the drawing of each before its photograph."""
    pairs = [key.removesuffix("_AB.jpg") for key in run.keys]
    for pair, key in zip(pairs, run.keys, strict=True):
        if pair == key or pair.count("/") != 1:
            raise ValueError(f"{where} holds {key!r}: a pair is called NUMBER_AB.jpg.")
    photo = "right" if drawing == "left" else "left"
    rows = 2 * len(pairs)
    splits = [f"{kind}-{pair.partition('/')[0]}" for pair in pairs for kind in ("sketch", "photo")]
    numbers = [pair.partition("/")[2] for pair in pairs for _ in range(2)]
    columns = {
        "key": [f"{split}/{number}" for split, number in zip(splits, numbers, strict=True)],
        "uri": [f"{uri}#{side}" for uri in run.uris for side in (drawing, photo)],
        "size": pa.repeat(SIZE, rows),
        "mtime": np.repeat(np.array(run.mtimes, np.int64), 2).tolist(),
        "etag": [etag for etag in run.etags for _ in range(2)],
        "labels": at_most_one([pair for pair in pairs for _ in range(2)]),
        "split": splits,
    }
    return listing_batch(rows, columns)


def _pixels(path: str) -> Pixels:
    """The pixels of the pair in the file at PATH, (256, 512, 3)."""
    from PIL import Image  # a source that is not read needs no decoder

    (content,) = read_packed([path])
    if isinstance(content, OSError):
        raise content
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if image.size != (2 * SIDE, SIDE):
                raise OSError(f"{path} is {image.size} and no pair of 512x256.")
            return np.asarray(image.convert("RGB"))
    except (ValueError, SyntaxError) as error:
        raise OSError(f"{path} cannot be decoded: {error}") from error
