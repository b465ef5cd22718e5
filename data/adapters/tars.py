"""WebDataset tars: images and what is said of them, side by side in tar files."""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import IO, Any, Final, Literal

import fsspec
from pydantic import Field

from data.adapters.base import URL, Dataset, Options
from data.adapters.card import Card
from data.adapters.headers import DamagedTar, Member, headers
from data.adapters.names import IMAGES, Extensions, split_of, suffix_of
from data.adapters.objects import files_under
from data.adapters.reading import local_path
from data.adapters.stamps import stamp
from data.sample import Sample
from data.taxonomy import Retrieval

log = logging.getLogger(__name__)

PICKLES: Final = frozenset({"pkl", "pyd", "pickle", "pth", "pt"})
"""Members that only running them could read."""

WORDS: Final = frozenset({"cls", "txt", "json"})
"""Members that say something of the image beside them."""

JSON_NAMES: Final = {
    "labels": ("label", "labels"),
    "tags": ("tags",),
    "captions": ("caption", "captions"),
}
"""What a sample's json may say, and under which names; the last of them counts."""

LONGEST: Final = 1 << 20
"""Bytes of a member that says something; nobody says more of one image."""


class TarsOptions(Options):
    """Which members are images, and what to do with a damaged tar."""

    extensions: Extensions = IMAGES
    damaged: Literal["refuse", "keep"] = Field(
        "refuse", description="refuse: a cut tar is an error; keep: its images before the cut count"
    )


class Tars(Dataset):
    """Every image in WebDataset tars, read where it lies by offset and length; nothing is unpacked.

    The root is a tar, a folder of tars, or a pattern of both (``shard-{000..127}.tar``, ``*.tar``),
    local or a URL. Members of one base name up to its first dot form a sample: ``.cls`` is its
    label (a number or a name), ``.txt`` its caption, and ``.json`` may hold ``label``/``labels``,
    ``tags``, ``caption``/``captions`` and ``split``. Members that are pickles (``.pkl``, ``.pyd``,
    ``.pickle``, ``.pth``, ``.pt``) are never opened; they are counted and logged, like words that
    cannot be understood.

    The key is the tar's path below the fixed part of the root, without its suffix, and the member's
    name without its own; a second image of the same base name keeps its suffix. All images of a tar
    carry its time stamp and etag, for a member's own stamp is usually made up. A split is the first
    folder of that path where it is named so (``train/000.tar``), or what the json says.
    """

    card = Card(
        name="tars",
        about="Images in WebDataset tars.",
        labels="the number or name in the .cls or .json beside an image",
        says=("multi", "tags", "captions"),
        retrievals=(
            Retrieval.SEMANTIC,
            Retrieval.MULTI_LABEL,
            Retrieval.CROSS_MODAL,
            Retrieval.INSTANCE,
        ),
        layout="A tar, a folder of tars, or a pattern such as shard-{000..127}.tar.",
        verified="real files",
        proof="Tars of real photographs in three forms of tar, whole and cut at every block, and "
        "those that the webdataset library writes.",
    )
    takes = TarsOptions
    options: TarsOptions

    def samples(self) -> Iterator[Sample]:
        """The images, tar by tar in the order of their names; headers are read, no image.

        Raises:
            FileNotFoundError: no tar is there.
            DamagedTar: a tar is cut or no tar; names it and the offset. What came before it has
                been handed out, what comes after it is unknown.
            ValueError: a tar holds a name twice.
        """
        for stem, tar in _tars(self.root):
            for sample in self._of_tar(tar, stem):
                if self.wants(sample.split):
                    yield sample

    def _of_tar(self, tar: str, stem: str) -> Iterator[Sample]:
        fs, path = fsspec.url_to_fs(local_path(tar))
        length, mtime, etag = stamp(fs.info(path))
        passed: Counter[str] = Counter()
        split = split_of(stem.split("/")[:-1])
        taken: dict[str, str] = {}
        with fs.open(path, "rb") as stream:
            try:
                for group in _groups(headers(stream, length, tar)):
                    images = [m for m in group if suffix_of(m.name) in self.options.extensions]
                    passed["pickles"] += sum(suffix_of(m.name) in PICKLES for m in group)
                    if not images:
                        continue
                    said = {"split": split} | _said(stream, group, passed)
                    for image in images:
                        name = _own_name(image.name, taken, tar)
                        yield Sample(
                            key=f"{stem}/{name}",
                            uri=f"{tar}#{image.offset},{image.length}",
                            size=image.length,
                            mtime=mtime,
                            etag=etag,
                            **said,
                        )
            except DamagedTar as error:
                if self.options.damaged == "refuse":
                    raise
                log.warning("%s", error)
        for what, count in passed.items():
            if count:
                log.warning("%s: %d members passed over: %s", tar, count, what)


def _tars(root: str) -> list[tuple[str, str]]:
    """What ROOT stands for: the key and the path or URL of each tar, sorted."""
    fs, path = fsspec.url_to_fs(root)
    fs.invalidate_cache()
    if fs.isdir(path):
        runs = files_under(root, frozenset({"tar"}), "inside")
        found = [one for run in runs for one in zip(run.keys, run.uris, strict=True)]
    elif fs.exists(path):
        found = [(path.rpartition("/")[2], root)]
    else:
        found = _matching(fs, root, path)
    if not found:
        raise FileNotFoundError(f"No tar at {root}: name a tar, a folder of tars, or a pattern.")
    return sorted((key.removesuffix(".tar"), tar) for key, tar in found)


def _matching(fs: Any, root: str, path: str) -> list[tuple[str, str]]:
    """The tars that the pattern PATH, ROOT without its protocol, stands for."""
    fixed = re.split(r"[{*?\[]", path, maxsplit=1)[0]
    below = fixed.rindex("/") + 1
    tars = {
        tar
        for pattern in expanded(path)
        for tar in (fs.glob(pattern) if re.search(r"[*?\[]", pattern) else [pattern])
    }
    return [
        (tar[below:], fs.unstrip_protocol(tar) if URL.match(root) else tar)
        for tar in tars
        if "/." not in tar[below - 1 :]
    ]


def expanded(pattern: str) -> list[str]:
    """PATTERN with its braces written out: ``{00..12}`` as numbers, ``{a,b}`` as words."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    words = found[1].split(",")
    if ends := re.fullmatch(r"(\d+)\.\.(\d+)", found[1]):
        numbers = range(int(ends[1]), int(ends[2]) + 1)
        words = [str(number).zfill(len(ends[1])) for number in numbers]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [whole for word in words for whole in expanded(before + word + after)]


def _groups(members: Iterator[Member]) -> Iterator[list[Member]]:
    """MEMBERS that follow each other and share their path up to the base name's first dot."""
    for _, group in groupby(members, lambda member: _base(member.name)[0]):
        yield list(group)


def _base(name: str) -> tuple[str, str]:
    """NAME cut at its base name's first dot."""
    folder, slash, base = name.rpartition("/")
    first, _, rest = base.partition(".")
    return folder + slash + first, rest


def _own_name(name: str, taken: dict[str, str], tar: str) -> str:
    """What the image NAME of TAR is called in its key; TAKEN says who took which before it.

    Raises:
        ValueError: the name is there twice.
    """
    for own in (name.rpartition(".")[0], name):
        if own not in taken:
            taken[own] = name
            return own
        if taken[own] == name:
            break
    raise ValueError(f"{tar} holds {name!r} twice: which of the two counts? Write the tar again.")


def _said(stream: IO[bytes], group: list[Member], passed: Counter[str]) -> dict[str, Any]:
    """The annotations in GROUP's members, as fields of a `Sample`; the rest is counted."""
    said: dict[str, Any] = {}
    for member in group:
        kind = _base(member.name)[1].lower()
        if kind not in WORDS:
            continue
        if member.length > LONGEST:
            passed[f"{kind} of more than {LONGEST} bytes"] += 1
            continue
        stream.seek(member.offset)
        try:
            text = stream.read(member.length).decode("utf-8-sig")
            said |= _fields(kind, text)
        except (ValueError, RecursionError):
            passed[f"{kind} that cannot be understood"] += 1
    return said


def _fields(kind: str, text: str) -> dict[str, Any]:
    if kind == "cls":
        return {"labels": _texts(text.strip())}
    if kind == "txt":
        return {"captions": _texts(text.strip())}
    told = json.loads(text)
    if not isinstance(told, dict):
        raise ValueError("the json of a sample should be an object.")
    fields: dict[str, Any] = {
        field: _texts(told[name])
        for field, names in JSON_NAMES.items()
        for name in names
        if told.get(name) is not None
    }
    if isinstance(told.get("split"), str):
        fields["split"] = _texts(told["split"])[0] if told["split"] else ""
    return fields


def _texts(value: object) -> tuple[str, ...]:
    """VALUE, a word, a number or a list of them, as texts that UTF-8 can hold."""
    values = value if isinstance(value, list) else [value]
    texts = (str(one) for one in values if isinstance(one, str | int | float))
    return tuple(text.encode("utf-8", "replace").decode() for text in texts if text)
