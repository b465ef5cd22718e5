"""SUN397: scenes in 397 classes, packed as published, as a tar or unpacked, with official folds."""

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import fsspec
import pyarrow as pa
from pydantic import Field, ValidationInfo, field_validator

from data.adapters.archives import content_of, entries
from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.files import Run
from data.adapters.objects import files_under
from data.adapters.packed import read_packed
from data.adapters.runs import Row, archive_rows, archive_run, run_batches, runs_of
from data.adapters.stamps import stamp_of
from data.taxonomy import Retrieval

CLASSES: Final = 397
HOME: Final = "http://vision.princeton.edu/projects/2010/SUN"
PLACES: Final = ("SUN397", "SUN397.tar", "SUN397.tar.gz")
"""What below the root holds the pictures; the first that is there counts."""

PACKED: Final = (".tar.gz", ".tgz")
REST: Final = "rest"
_FOLD: Final = {"train": "Training", "test": "Testing"}
_NAME: Final = re.compile(r"(?:\./)?(?:SUN397/)?([a-z]/(.+)/[^/]+\.jpg)")

log = logging.getLogger(__name__)


class SunOptions(Options):
    """Which of the official divisions is used."""

    lists: Literal["", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"] = Field(
        "",
        description="the official fold whose training and test pictures are the splits",
        validate_default=True,
    )

    @field_validator("lists")
    @classmethod
    def _has_the_splits(cls, lists: str, others: ValidationInfo) -> str:
        if not lists and set(others.data.get("splits", ())) & set(_FOLD):
            raise ValueError("train and test are those of a fold, so name one, as in '01'")
        return lists


class Sun397(Columnar):
    """Photographs of scenes; a picture is relevant to those of its class.

    The root is, or holds, the folder ``SUN397`` or the archive ``SUN397.tar.gz`` or ``SUN397.tar``:
    ``SUN397/<letter>/<class>/sun_<16 letters>.jpg``, where a class may be two folders deep. The key
    is the path below SUN397, the label that path without letter and name: ``abbey``,
    ``bow_window/indoor``. The order is that of the keys, but in a ``.tar.gz`` that of the archive:
    it can only be read from its start on, so each process that reads of it unpacks it once, and a
    listing does. ``gunzip`` makes a tar of it, from which any picture can be read.

    Without the option ``lists`` all pictures are of the split ``rest``. With it, those in
    ``Training_XX.txt`` and ``Testing_XX.txt`` (in ``Partitions.zip``, the folder ``Partitions`` or
    the root) are ``train`` and ``test``. Where ``ClassName.txt`` lies in SUN397, Partitions or the
    root (not in an archive), classes are held to it.
    """

    card = Card(
        name="sun397",
        about="108,754 photographs of scenes in 397 classes.",
        labels="exactly one of 397 classes of scenes, at least 100 pictures each; the same class "
        "is relevant",
        says=("single",),
        retrievals=(Retrieval.SEMANTIC, Retrieval.FINE_GRAINED, Retrieval.ASYMMETRIC),
        cite="Xiao, Hays, Ehinger, Oliva, Torralba, SUN Database: Large-scale Scene Recognition "
        "from Abbey to Zoo, CVPR 2010",
        home=f"{HOME}/",
        licence="none stated by the authors",
        terms="For research only; the pictures are their authors'. The host has been reported not "
        "to answer: the digest tells a copy from elsewhere.",
        access="open",
        splits={"train": 19_850, "test": 19_850, REST: 69_054},
        sources=(
            Source(
                url=f"{HOME}/SUN397.tar.gz",
                holds="all pictures",
                md5="8ca2778205c41d23104230ba66911c7a",
            ),
            Source(url=f"{HOME}/download/Partitions.zip", holds="the ten official folds"),
        ),
        layout="The archive, its tar or the folder SUN397, and Partitions.zip where a fold is "
        "asked for by the option lists; without it all pictures are of the split rest.",
        marks=("SUN397*",),
        verified="miniature",
        proof="Packed tars, tars and folders that the tests write, with the same pictures under "
        "the same keys; the real list of the training pictures of fold 01, all 19,850 names in "
        "all 397 classes. The list of its test pictures could not be had.",
        traps=(
            "A class may lie two folders deep, and is both.",
            "Some files named .jpg are no JPEG: their bytes are handed on as they are.",
            "Folders have no order of their own: pictures are sorted by their paths.",
            "The split of 8,000 queries that papers use was never published: it is drawn from a "
            "seed by the protocol, not by the dataset.",
        ),
    )
    takes = SunOptions
    options: SunOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures; in a packed archive all of it is read.

        Raises:
            FileNotFoundError: the pictures, a list of the fold, one of its pictures or a class of
                ClassName.txt is missing; names it.
            ValueError: an archive is cut, a picture lies elsewhere than in a class, or a list
                holds something else; names it.
        """
        home = _home(self.root)
        beside = self.root.rpartition("/")[0] if home == self.root else self.root
        fold = _fold(home, beside, self.options.lists) if self.options.lists else {}
        missing = set(fold)
        classes: set[str] = set()
        for run in _runs(home):
            labels = [_class_of(home, key) for key in run.keys]
            classes.update(labels)
            missing.difference_update(run.keys)
            splits = [fold.get(key, REST) for key in run.keys]
            yield from map(self.of_wanted_splits, run_batches(run, splits, labels))
        if not classes:
            raise FileNotFoundError(f"No picture lies in {home}.")
        if missing:
            raise FileNotFoundError(
                f"{home} lacks {len(missing):,} pictures of fold {self.options.lists}, first "
                f"{min(missing)}."
            )
        _check(home, beside, classes)

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The bytes of URIS; of a packed archive in one pass where they are in its order."""
        return read_packed(uris)


def _home(root: str) -> str:
    """The folder or archive of the pictures."""
    fs, path = fsspec.url_to_fs(root)
    if root.endswith((".tar", *PACKED)) and fs.exists(path):
        return root
    for name in PLACES:
        if fs.exists(f"{path}/{name}"):
            return f"{root}/{name}"
    if fs.exists(f"{path}/a"):
        return root
    raise FileNotFoundError(f"No SUN397 in {root}: it should hold one of {', '.join(PLACES)}.")


def _runs(home: str) -> Iterator[Run]:
    if home.endswith(PACKED):
        return runs_of(_once(home))
    if home.endswith(".tar"):
        return iter([archive_run(home, stamp_of(home), _key_of)])
    return files_under(home, frozenset({"jpg"}), "all")


def _once(archive: str) -> Iterator[Row]:
    """The pictures in ARCHIVE in its order, each of which it should hold once."""
    seen: set[str] = set()
    for row in archive_rows(archive, _key_of):
        if row[0] in seen:
            raise ValueError(f"{archive} holds {row[0]!r} twice: which of the two counts?")
        seen.add(row[0])
        yield row


def _key_of(name: str) -> str:
    """The key of the file NAME of an archive; empty where it is no picture."""
    if not name.endswith(".jpg"):
        return ""
    found = _NAME.fullmatch(name)
    return found[1] if found else name


def _class_of(home: str, key: str) -> str:
    found = _NAME.fullmatch(key)
    if not found:
        raise ValueError(f"{home} holds {key!r}, which is in no class.")
    return found[2]


def _fold(home: str, beside: str, number: str) -> dict[str, str]:
    """The split of each picture of fold NUMBER."""
    split_of: dict[str, str] = {}
    for split, word in _FOLD.items():
        path = _list(home, beside, f"{word}_{number}.txt")
        if not path:
            raise FileNotFoundError(
                f"No {word}_{number}.txt in {beside}, its Partitions or Partitions.zip."
            )
        for row, line in enumerate(content_of(path).decode("utf-8", "replace").split(), 1):
            if not _NAME.fullmatch(line.removeprefix("/")):
                raise ValueError(f"{path}: line {row} is {line!r}, no picture of a class.")
            if split_of.setdefault(line.removeprefix("/"), split) != split:
                raise ValueError(f"{path}: {line} of line {row} is a training picture too.")
    return split_of


def _list(home: str, beside: str, name: str) -> str:
    """Where the list NAME lies; empty where it does not."""
    fs, path = fsspec.url_to_fs(beside)
    archive = f"{beside}/Partitions.zip"
    inside = (
        [entry.name for entry in entries(archive)] if fs.exists(f"{path}/Partitions.zip") else []
    )
    for entry in inside:
        if entry.rpartition("/")[2] == name:
            return f"{archive}::{entry}"
    folders = [f"{beside}/Partitions", beside] + [home] * (not home.endswith((".tar", *PACKED)))
    for folder in folders:
        fs, path = fsspec.url_to_fs(f"{folder}/{name}")
        if fs.exists(path):
            return f"{folder}/{name}"
    return ""


def _check(home: str, beside: str, classes: set[str]) -> None:
    """Hold CLASSES to ClassName.txt, where it lies."""
    path = _list(home, beside, "ClassName.txt")
    if not path:
        if len(classes) != CLASSES:
            log.warning("%s has pictures of %d classes, not of %d.", home, len(classes), CLASSES)
        return
    lines = content_of(path).decode("utf-8", "replace").split()
    named = {line.removeprefix("/").partition("/")[2] for line in lines}
    if unknown := classes - named:
        raise ValueError(f"{home} holds the class {min(unknown)!r}, which {path} does not name.")
    if lost := named - classes:
        raise FileNotFoundError(
            f"{home} has no picture of {len(lost)} classes that {path} names, first {min(lost)!r}."
        )
