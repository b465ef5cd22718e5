"""Write a recipe for a source: look what it is, and put down only what a person would change."""

import fnmatch
import os
import re
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import fsspec

from data.adapters import DATASETS, open_dataset
from data.adapters.card import Card

IMAGES: Final = frozenset(
    (".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)
SPLITS: Final = frozenset(("train", "val", "validation", "test", "query", "gallery"))
LOOK: Final = 2000
"""Names looked at to tell what a source is; enough for its layout, few enough for a huge bucket."""
BREADTH: Final = 100
"""Folders of a folder that are looked into."""
CLASSES: Final = (2, 0.5)
"""Folders count as classes from two on, while there are at most half as many as images."""


class Found(NamedTuple):
    """What a source turned out to be.

    Args:
        adapter: a word of `data.adapters.DATASETS`.
        root: what the recipe names as its root.
        labelled: whether classes were seen, so that supervision can use them.
        about: the same in words.
        options: what the adapter must be told beside.
    """

    adapter: str
    root: str
    labelled: bool
    about: str
    options: Mapping[str, str] = MappingProxyType({})


def sniff(source: str) -> Found:
    """What SOURCE, a path or URL, holds.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it holds no image, list or tar.
    """
    fs, path = fsspec.url_to_fs(str(source))
    root = source.rstrip("/") if "://" in source else str(Path(source).expanduser())
    suffix = os.path.splitext(path)[1].lower()
    if not fs.exists(path):
        raise FileNotFoundError(f"Nothing is at {source}: is the path right, and is it mounted?")
    if fs.isfile(path):
        if suffix in {".csv", ".tsv", ".parquet"}:
            return Found("list", root, *_list(fs, path, suffix))
        if suffix == ".tar":
            return Found("tars", root, False, "one tar of images")
        raise ValueError(
            f"{source} is one file: name a folder, a .csv or .parquet list, or a .tar."
        )
    names = list(islice(_names(fs, path), LOOK))
    doubts = ""
    for card in _official(names):
        if why_not := _unread(card.name, root):
            doubts += f"; not {card.name} in its official layout: {why_not}"
            continue
        truth = card.labels_in
        labelled = "labels" in card.annotations and (not truth or _holds(names, truth))
        return Found(card.name, root, labelled, f"{card.name} in its official layout")
    if found := _loose(names, root):
        return found._replace(about=found.about + doubts)
    raise ValueError(
        f"{source} holds no image, no tar and no list among its first {LOOK} names{doubts}."
    )


def name_of(source: str) -> str:
    """A recipe's name made of the last part of SOURCE: ``Holiday Photos/`` gives holiday-photos.

    Raises:
        ValueError: nothing is left of it.
    """
    last = os.path.splitext(os.path.basename(os.path.abspath(source.rstrip("/"))))[0].lower()
    name = re.sub(r"[^a-z0-9_]+", "-", last).strip("-_")[:63]
    if not name:
        raise ValueError(f"{source} gives no name for a recipe: give one with --name.")
    return name


def write(found: Found, name: str, folder: Path, force: bool = False) -> Path:
    """The recipe file ``NAME.yaml`` in FOLDER that indexes what was FOUND.

    Raises:
        ValueError: NAME is no name for a recipe.
        FileExistsError: the file is there and FORCE is not given.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise ValueError(f"{name!r} is no name for a recipe: lower case letters, digits, - and _.")
    path = folder / f"{name}.yaml"
    if path.exists() and not force:
        raise FileExistsError(f"{path.name} is there already: give --force to replace it.")
    path.write_text(text(found, name))
    return path


def text(found: Found, name: str) -> str:
    """The recipe itself, with a comment on what one might change."""
    supervision = "supervised" if found.labelled else "self_supervised"
    why = "it has classes" if found.labelled else "no classes were seen"
    root = found.root if "://" in found.root else os.path.abspath(found.root)
    return TEMPLATE.format(
        name=name,
        about=" ".join(found.about.split()),
        adapter=found.adapter,
        root=_quoted(root),
        options="".join(f"\n  options: {{{key}: {word}}}" for key, word in found.options.items()),
        supervision=supervision,
        why=why,
    )


TEMPLATE: Final = """\
# {about}
name: {name}
source:
  dataset: {adapter}
  root: {root}{options}

train:
  supervision: {supervision}   # {why}

  # descriptor: binary   # codes of bits instead of numbers: smaller, a little less exact
  # epochs: 20

# A night that loses more of the images, or more of the search quality, than this is held back.
# gates:
#   mass_deletion: 0.2
#   fall: 0.02
"""


def _names(fs: "fsspec.AbstractFileSystem", path: str, inner: str = "") -> Iterator[str]:
    """The files under PATH, relative to it: its own, then one of each folder in turn."""
    found = sorted(
        (str(each["name"]).rstrip("/"), each["type"])
        for each in fs.ls(path, detail=True)
        if each["type"] == "file" or not each.get("islink")  # a linked folder may lead back up
    )
    yield from (inner + os.path.basename(name) for name, kind in found if kind == "file")
    folders = [name for name, kind in found if kind == "directory"][:BREADTH]
    walks = deque(_names(fs, name, f"{inner}{os.path.basename(name)}/") for name in folders)
    while walks:
        if name := next(walks[0], None):
            yield name
            walks.rotate(-1)
        else:
            walks.popleft()


def _official(names: list[str]) -> list[Card]:
    """The cards of the datasets whose official layouts NAMES give away, by most marks first."""
    cards = [dataset.card for dataset in DATASETS.values()]
    hits = {card.name: sum(_holds(names, mark) for mark in card.marks) for card in cards}
    found = [card for card in cards if hits[card.name]]
    return sorted(found, key=lambda card: hits[card.name], reverse=True)


def _unread(name: str, root: str) -> str:
    """Why dataset NAME cannot be read from ROOT; empty where its first picture is found."""
    try:
        first = next(iter(open_dataset(name, root, {}).samples()), None)
    except (OSError, ValueError) as error:
        return str(error).rstrip(".")
    return "" if first else f"no picture is in {root}"


def _loose(names: list[str], root: str) -> Found | None:
    """What ROOT holds by its NAMES where they are in nobody's layout; None where nothing is."""
    images = [name for name in names if os.path.splitext(name)[1].lower() in IMAGES]
    if classes := _classes(images):
        first = ", ".join(sorted(classes)[:3])
        return Found("folder", root, True, f"a folder of images in classes such as {first}")
    if images:
        return Found("folder", root, False, "a folder of images", {"labels": "none"})
    if any(name.endswith(".tar") for name in names):
        return Found("tars", root, False, "WebDataset tars")
    return None


def _holds(names: list[str], mark: str) -> bool:
    """Whether a file or folder of NAMES is called as MARK says, perhaps with ``*``."""
    return any(fnmatch.filter(name.split("/"), mark) for name in names)


def _classes(images: list[str]) -> set[str]:
    """The folders directly under the root (or under a split) that look like classes."""
    parts = [name.split("/")[:-1] for name in images]
    parts = [words[1:] if words and words[0].lower() in SPLITS else words for words in parts]
    classes = {words[0] for words in parts if words}
    least, share = CLASSES
    return classes if least <= len(classes) <= share * len(images) else set()


def _list(fs: "fsspec.AbstractFileSystem", path: str, suffix: str) -> tuple[bool, str]:
    """Whether the list at PATH has labels, and what it is in words."""
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        with fs.open(path, "rb") as file:
            columns = pq.read_schema(file).names
    else:
        with fs.open(path, "rb") as file:
            columns = re.split(rb"[,\t]", file.readline().strip())
            columns = [column.decode(errors="replace").strip('"') for column in columns]
    labelled = bool({"label", "labels"} & set(columns))
    return labelled, f"a list with columns {', '.join(columns)}"


def _quoted(word: str) -> str:
    """WORD as YAML takes it for text."""
    import json

    return word if re.fullmatch(r"[\w./~-]+(://[\w./-]+)?", word) else json.dumps(word)
