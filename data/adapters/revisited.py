"""Oxford and Paris, revisited: the truth of both, from a MATLAB file or a pickle, and the pictures.

The truth is of four kinds: a query's box, and for each query the pictures of the index that are
easy or hard to find, or junk, which neither helps nor harms.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import fsspec
import numpy as np
from pydantic import Field

from data.adapters.archives import content_of
from data.adapters.base import Dataset, Options
from data.adapters.matlab import load
from data.adapters.objects import files_under
from data.adapters.packed import read_packed
from data.adapters.pickles import PickleRefused, load_arrays
from data.adapters.reading import local_path
from data.adapters.runs import Row, archive_rows, rows_of
from data.sample import Box, Sample

RELATIONS: Final = ("easy", "hard", "junk")
LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "easy": ("easy",),
    "medium": ("easy", "hard"),
    "hard": ("hard",),
}
"""What answers a query at each level."""

ARCHIVES: Final = (".tgz", ".tar.gz", ".tar")

log = logging.getLogger(__name__)


class Query(NamedTuple):
    """What the truth says of a query: left, top, right, bottom of it, and pictures by relation."""

    name: str
    corners: tuple[float, ...]
    related: Mapping[str, tuple[str, ...]]


class Truth(NamedTuple):
    """The queries, and the names of the pictures of the index."""

    queries: tuple[Query, ...]
    database: tuple[str, ...]


class RevisitedOptions(Options):
    """Which answers count as right where labels are compared."""

    level: Literal["easy", "medium", "hard"] = Field(
        "medium", description="which answers share the query's label: easy, both, hard"
    )


class Revisited(Dataset):
    """Photographs of the buildings of a town; what answers a query is listed.

    The root holds the truth, ``gnd_NAME.mat`` or ``gnd_NAME.pkl``, and the pictures: in the folder
    ``jpg``, at any depth, else in the archives as they were published (``.tgz``, or unpacked to
    ``.tar``). Keys are ``query/NAME`` and ``index/NAME``; pictures come as they lie, those that the
    truth does not name are counted and left out.

    A query has a box, which is what is to be searched for, and the whole truth as tags:
    ``easy/KEY``, ``hard/KEY`` and ``junk/KEY``. Its label is its own name, and a picture of the
    index has the names of the queries that it answers at the level of the options.
    """

    takes = RevisitedOptions
    options: RevisitedOptions

    def samples(self) -> Iterator[Sample]:
        """The pictures as they lie, an archive after the other.

        Raises:
            FileNotFoundError: the truth is missing, or pictures are; names it.
            DamagedTar: an archive is cut or damaged; names it.
            ValueError: the truth is broken or refused, or a picture is there twice; names it.
        """
        truth = truth_of(self.root, self.card.name)
        queries = {query.name: query for query in truth.queries}
        answers: dict[str, list[str]] = {name: [] for name in truth.database}
        for query in truth.queries:
            for relation in LEVELS[self.options.level]:
                for name in query.related[relation]:
                    answers[name].append(query.name)
        waiting = dict.fromkeys(queries, "query") | dict.fromkeys(answers, "index")
        waiting = {name: split for name, split in waiting.items() if self.wants(split)}
        known = set(waiting)
        strange = 0
        for path, uri, size, mtime, etag in _pictures(self.root):
            name = path.rpartition("/")[2].rpartition(".")[0]
            if name in known and name not in waiting:
                raise ValueError(f"The picture {name} is twice under {self.root}: also as {path}.")
            split = waiting.pop(name, "")
            if not split:
                strange += name not in queries and name not in answers
                continue
            asked = queries.get(name)
            yield Sample(
                key=f"{split}/{name}",
                uri=uri,
                size=size,
                mtime=mtime,
                etag=etag,
                labels=(name,) if asked else tuple(answers[name]),
                tags=_tags(asked) if asked else (),
                boxes=(_box(asked),) if asked else (),
                split=split,
            )
        if strange:
            log.warning("%s: %d pictures that the truth does not name", self.root, strange)
        if waiting:
            raise FileNotFoundError(
                f"{len(waiting)} of {len(known)} pictures are not under {self.root}, such as "
                f"{min(waiting)}.jpg: get the archives of the card, or what is missing of jpg."
            )

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS; those of a packed archive in one pass, in their order."""
        return read_packed(uris)


def truth_of(root: str, name: str) -> Truth:
    """The truth of the dataset NAME in ROOT.

    Raises:
        FileNotFoundError: there is none.
        PickleRefused: the pickle holds more than lists of numbers and texts.
        ValueError: it is broken; names it.
    """
    fs, below = fsspec.url_to_fs(root)
    path = f"{root}/gnd_{name}.mat"
    if fs.exists(f"{below}/gnd_{name}.mat"):
        return _checked(load(path, "imlist", "qimlist", "gnd"), 1, path)
    if not fs.exists(f"{below}/gnd_{name}.pkl"):
        raise FileNotFoundError(f"No gnd_{name}.mat or gnd_{name}.pkl in {root}.")
    path = f"{root}/gnd_{name}.pkl"
    try:
        loaded = load_arrays(content_of(path), path)
    except PickleRefused as error:
        raise PickleRefused(f"{error} The same truth is in gnd_{name}.mat: get that.") from error
    return _checked(_by_text(loaded, path), 0, path)


def _checked(fields: Mapping[str, Any], first: int, path: str) -> Truth:
    """FIELDS of the truth at PATH, which counts pictures from FIRST."""
    index, names = (_names(fields.get(name), f"{path}: {name}") for name in ("imlist", "qimlist"))
    said = fields.get("gnd")
    said = [said] if isinstance(said, dict) else said
    if not isinstance(said, list) or len(said) != len(names):
        raise ValueError(f"{path}: gnd should say something of each of {len(names)} queries.")
    both = set(index) & set(names)
    if both or len(set(index)) < len(index) or len(set(names)) < len(names):
        raise ValueError(f"{path} names a picture twice{f': {min(both)}' if both else ''}.")
    queries = []
    for name, one in zip(names, said, strict=True):
        what = f"{path}: query {name}"
        one = _by_text(one, what)
        corners = _numbers(one.get("bbx"), f"{what}, bbx")
        if len(corners) != 4 or not (corners[:2] < corners[2:]).all():
            raise ValueError(f"{what}: bbx should be left, top, right and bottom of a box.")
        related = {}
        for relation in RELATIONS:
            places = _numbers(one.get(relation), f"{what}, {relation}") - first
            if (places != places.round()).any() or ((places < 0) | (places >= len(index))).any():
                raise ValueError(f"{what}: {relation} counts pictures that the index has not.")
            related[relation] = tuple(index[int(place)] for place in places)
        queries.append(Query(name, tuple(corners.tolist()), related))
    return Truth(tuple(queries), tuple(index))


def _by_text(value: Any, what: str) -> dict[str, Any]:
    """VALUE, a dict, with names as text: those of Python 2 come as bytes."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} should have named fields, and is {type(value).__name__}.")
    return {key.decode() if isinstance(key, bytes) else str(key): one for key, one in value.items()}


def _names(value: Any, what: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str | bytes) for one in value):
        raise ValueError(f"{what} should be a list of names.")
    return [one.decode() if isinstance(one, bytes) else one for one in value]


def _numbers(value: Any, what: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    try:
        return np.asarray([] if value is None else value, np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} should be a list of numbers.") from error


def _tags(query: Query) -> tuple[str, ...]:
    return tuple(f"{word}/index/{name}" for word in RELATIONS for name in query.related[word])


def _box(query: Query) -> Box:
    left, top, right, bottom = query.corners
    return Box("query", left, top, right - left, bottom - top)


def _pictures(root: str) -> Iterator[Row]:
    """The pictures by their names: those of the folder jpg, or else of the archives."""
    fs, path = fsspec.url_to_fs(local_path(root))
    if fs.isdir(f"{path}/jpg"):
        for run in files_under(f"{root}/jpg", frozenset({"jpg"}), "inside"):
            yield from rows_of(run)
        return
    names = sorted(str(name).rpartition("/")[2] for name in fs.ls(path, detail=False))
    archives = [name for name in names if name.lower().endswith(ARCHIVES)]
    if not archives:
        raise FileNotFoundError(f"No folder jpg and no archive {', '.join(ARCHIVES)} in {root}.")
    for name in archives:
        yield from archive_rows(f"{root}/{name}", _picture)


def _picture(name: str) -> str:
    return name if name.lower().endswith(".jpg") else ""
