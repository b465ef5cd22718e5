"""UT-Zap50K: shoes of a shop in four categories and 21 subcategories, with eight attributes."""

import html
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal

import fsspec
import numpy as np
import pyarrow as pa
from pydantic import Field

from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.columns import lists
from data.adapters.files import Run
from data.adapters.objects import files_under
from data.adapters.rows import column_names, row_batches
from data.adapters.runs import archive_run, rows_of, run_batches, sorted_run
from data.adapters.stamps import stamp_of
from data.adapters.unpacked import Unpacked
from data.adapters.utzap50k_pairs import pair_batches
from data.taxonomy import Retrieval

HOME: Final = "https://vision.cs.utexas.edu/projects/finegrained/utzap50k"
ATTRIBUTES: Final = (
    "HeelHeight", "Insole", "Closure", "Gender", "Material", "ToeStyle",
)  # fmt: skip
ROWS: Final = ("CID", "Category", "SubCategory")
CATEGORIES: Final = ("Boots", "Sandals", "Shoes", "Slippers")
META: Final = ("ut-zap50k-data/meta-data.csv", "meta-data.csv")
DATA: Final = "ut-zap50k-data.zip"

_NAME: Final = re.compile(rf"(?:\./)?(?:[^/]+/)?((?:{'|'.join(CATEGORIES)})/[^/]+/.+\.jpg)")

log = logging.getLogger(__name__)


class ZapOptions(Options):
    """Which pictures are read, and what is known of them."""

    pictures: Literal["images", "images-square"] = Field(
        "images", description="136x102 pixels, or filled up with white to 136x136"
    )
    labels: Literal["category", "subcategory"] = Field(
        "category", description="one of 4 categories, as in papers on hashing, or of 21 below them"
    )
    attributes: bool = Field(
        True, description="tags from meta-data.csv; without them it is not asked for"
    )
    fold: int = Field(
        0, ge=0, le=10, description="of the table pairs: 0 all, 1 to 10 an official division"
    )


class UtZap50k(Columnar):
    """Shoes on white; a picture is relevant to those of its category.

    The root holds ``ut-zap50k-images.zip`` (or ``-images-square.zip``, by the option ``pictures``)
    or the folder that is in it, ``<Category>/<SubCategory>/<Brand>/<CID>.jpg``, and
    ``ut-zap50k-data.zip``, the folder that is in it, or ``meta-data.csv``. A subcategory is written
    with its category, ``Shoes/Heels``. Tags are written as the dataset's own binary columns are,
    ``Closure.Lace up``, one for each of the values of a cell.

    The same brand is spelt in three ways: a name that ends in a dot (``Neil M.``) has lost it in
    one archive and has ``%2E`` in the other, and ``Levi's&#174;`` is written for a web page. A key
    has neither dot nor escape, so that it is the same in all. A row of meta-data.csv is that of a
    picture by category, subcategory and CID, else by the CID alone, where ``-`` stands for the
    ``.`` of the file's name. Rows and pictures that find no partner are counted, named and logged.

    The table ``pairs`` says of pairs of pictures which of the two is more open, pointy, sporty or
    comfortable, as `data.adapters.utzap50k_pairs` has it.
    """

    card = Card(
        name="utzap50k",
        about="50,025 photographs of shoes from a shop's catalogue.",
        labels="exactly one of four categories, or of 21 subcategories; the same one is relevant",
        says=("single", "tags"),
        retrievals=(Retrieval.SEMANTIC, Retrieval.FINE_GRAINED, Retrieval.ASYMMETRIC),
        cite="Yu and Grauman, Fine-Grained Visual Comparisons with Local Learning, CVPR 2014",
        home=f"{HOME}/",
        licence="academic use only",
        terms="For academic, non-commercial use; the pictures are the shop's.",
        access="open",
        splits={"all": 50_025},
        sources=(
            Source(url=f"{HOME}/{DATA}", holds="attributes, labels of pairs"),
            Source(url=f"{HOME}/ut-zap50k-images.zip", holds="pictures", form="images"),
            Source(
                url=f"{HOME}/ut-zap50k-images-square.zip",
                holds="pictures on a square",
                form="images-square",
            ),
        ),
        layout="The zips as they were downloaded, or the folders that are in them; image-path.mat, "
        "zappos-labels.mat and zappos-labels-fg.mat of the data for the table pairs.",
        marks=("ut-zap50k-*",),
        verified="miniature",
        proof="Zips and folders that the tests write with the documented odd names, each with the "
        "same keys, labels and tags; no file of the dataset could be had.",
        traps=(
            "Brands that end in a dot have lost it in one archive and have %2E in the other.",
            "Levi's is Levi's&#174; on the disk.",
            "The CID of a row has a dash where the name of its picture has a dot.",
            "A cell holds several values, parted by semicolons, or none.",
            "Some rows and pictures have no partner: they are counted and named.",
            "The pairs count pictures from 1, in the order of image-path.mat and not of the keys.",
            "The split of 8,000 queries that papers use was never published: it is drawn from a "
            "seed by the protocol, not by the dataset.",
        ),
    )
    takes = ZapOptions
    options: ZapOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures in the order of their keys.

        Raises:
            FileNotFoundError: the pictures or meta-data.csv are missing; names them.
            ValueError: an archive is cut, a picture lies elsewhere, two have the same key, or
                meta-data.csv lacks a column; names it.
        """
        if not self.wants("all"):
            return
        run = _run(_pictures(self.root, self.options.pictures))
        depth = 1 if self.options.labels == "category" else 2
        labels = ["/".join(key.split("/")[:depth]) for key in run.keys]
        tags = _tags(_meta(self.root), run.keys) if self.options.attributes else None
        yield from run_batches(run, "all", labels, tags)

    def tables(self) -> Mapping[str, Callable[[], Iterator[pa.RecordBatch]]]:
        """The pairs of pictures that people compared."""
        return {"pairs": self._pairs}

    def _pairs(self) -> Iterator[pa.RecordBatch]:
        keys = _run(_pictures(self.root, self.options.pictures)).keys
        files = Unpacked(self.root, DATA, (META[0].removesuffix(META[1]),))
        return pair_batches(files, keys, plain, self.options.fold)


def plain(name: str) -> str:
    """NAME, a path in an archive or folder, spelt as keys are; empty where it is no picture."""
    if not name.lower().endswith(".jpg"):
        return ""
    found = _NAME.fullmatch(name)
    *folders, file = (found[1] if found else name).split("/")
    folders = [html.unescape(part.replace("%2E", ".")).rstrip(".") for part in folders]
    return "/".join([*folders, file.replace("%2E", ".")])


def _run(where: str) -> Run:
    """The pictures in WHERE, a zip or a folder, by key."""
    if where.endswith(".zip"):
        run = archive_run(where, stamp_of(where), plain)
    else:
        runs = files_under(where, frozenset({"jpg"}), "all")
        rows = ((plain(row[0]), *row[1:]) for part in runs for row in rows_of(part))
        run = sorted_run(rows, where)
    for key in run.keys:
        if not _NAME.fullmatch(key):
            raise ValueError(f"{where} holds {key!r}, which is in no category of shoes.")
    if not run.keys:
        raise FileNotFoundError(f"No picture lies in {where}.")
    return run


def _pictures(root: str, form: str) -> str:
    fs, path = fsspec.url_to_fs(root)
    name = f"ut-zap50k-{form}"
    for found in (name, f"{name}.zip"):
        if fs.exists(f"{path}/{found}"):
            return f"{root}/{found}"
    other = "images" if form == "images-square" else "images-square"
    hint = f" (pictures: {other} takes the others)"
    there = any(fs.exists(f"{path}/ut-zap50k-{other}{suffix}") for suffix in ("", ".zip"))
    raise FileNotFoundError(f"No {name} or {name}.zip in {root}{hint * there}.")


def _meta(root: str) -> str:
    fs, path = fsspec.url_to_fs(root)
    for name in META:
        if fs.exists(f"{path}/{name}"):
            return f"{root}/{name}"
    if fs.exists(f"{path}/{DATA}"):
        return f"{root}/{DATA}::{META[0]}"
    raise FileNotFoundError(
        f"No {DATA} or {META[0]} in {root}: attributes: false does without its tags."
    )


def _tags(path: str, keys: Sequence[str]) -> pa.ListArray:
    """The words of each of KEYS in the table at PATH."""
    exact, by_cid = _rows(path)
    words: list[list[str]] = []
    lonely, used = [], set()
    for key in keys:
        category, subcategory, *_, file = key.split("/")
        cid = _cid(file[: -len(".jpg")])
        name = (category, subcategory, cid)
        name = name if name in exact else by_cid.get(cid, name)
        used.add(name)
        if name not in exact:
            lonely.append(key)
        words.append(exact.get(name, []))
    for what, left in (
        ("pictures without a row", lonely),
        ("rows without a picture", sorted("/".join(name) for name in exact.keys() - used)),
    ):
        if left:
            log.warning("%s: %d %s, first %s", path, len(left), what, ", ".join(left[:3]))
    lengths = np.array([len(row) for row in words], dtype=np.int64)
    return lists(pa.array([word for row in words for word in row], pa.string()), lengths)


Name = tuple[str, str, str]


def _rows(path: str) -> tuple[Mapping[Name, list[str]], Mapping[str, Name]]:
    """The words of each row by category, subcategory and CID; and that name by a CID of one row.

    Raises:
        ValueError: a column is missing, or a row is there twice; names it.
    """
    names = (*ROWS, *ATTRIBUTES)
    if missing := set(names) - set(column_names(path)):
        raise ValueError(f"{path} has no column {', '.join(sorted(missing))}.")
    exact: dict[Name, list[str]] = {}
    by_cid: dict[str, Name] = {}
    for batch in row_batches(path, dict.fromkeys(names, pa.string())):
        for cid, category, subcategory, *cells in zip(
            *(batch[name].to_pylist() for name in names), strict=True
        ):
            name = (category, subcategory, _cid(cid))
            if name in exact:
                raise ValueError(f"{path}: {category}/{subcategory}/{cid} is there twice.")
            by_cid[name[2]] = ("", "", "") if name[2] in by_cid else name  # two: do not guess
            exact[name] = [
                f"{attribute}.{value.strip()}"
                for attribute, cell in zip(ATTRIBUTES, cells, strict=True)
                for value in cell.split(";")
                if value.strip()
            ]
    return exact, by_cid


def _cid(text: str) -> str:
    """A CID as rows write it, from a row or from the name of a picture."""
    return text.strip().replace(".", "-")
