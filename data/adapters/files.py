"""The image files under a local folder, in the order of their keys, a folder at a time.

The order is that of the whole relative paths, byte by byte (``a.jpg`` before ``a/x.jpg``). Sorting
one folder at a time yields it, so a tree of millions is listed while only the names of the folders
on the way down are held.
"""

import logging
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar
from urllib.parse import quote_from_bytes

from data.adapters.names import is_image, legible

Links = Literal["inside", "all", "none"]
F = TypeVar("F")

ROWS: Final = 10_000
"""Files a run at most."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """Files of one folder that follow each other in the order of keys; the lists run in parallel.

    Args:
        folder: the folder's own key: empty for the root, else with a slash at its end.
    """

    folder: str
    keys: list[str] = field(default_factory=list)
    uris: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    mtimes: list[int] = field(default_factory=list)
    etags: list[str] = field(default_factory=list)

    def add(self, key: str, uri: str, size: int, mtime: int, etag: str) -> None:
        """Append one file."""
        self.keys.append(key)
        self.uris.append(uri)
        self.sizes.append(size)
        self.mtimes.append(mtime)
        self.etags.append(etag)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on the way down: its path, its key, its real path and those of the folders above."""

    path: str
    key: str
    real: str
    above: frozenset[str] = frozenset()


def local_runs(root: str, extensions: frozenset[str], links: Links) -> Iterator[Run]:
    """The files under ROOT that end in one of EXTENSIONS, with size and time stamp.

    Only regular files; hidden ones (``.name``) are passed over. A link is followed as LINKS says
    ("inside": where it stays under ROOT), never one that leads back to a folder above it. What is
    left out for such a reason is counted and logged.

    Raises:
        FileNotFoundError: ROOT is not there.
        ValueError: two names of a folder cannot be told apart as text.
        OSError: a folder cannot be read; passing it over would look like the loss of its pictures.
    """
    if not os.path.isdir(root):
        raise FileNotFoundError(f"No folder {root}: is the path right, and is its disk mounted?")
    walk = _Walk(os.path.realpath(root), extensions, links)
    yield from deeper(Folder(root.rstrip("/"), "", walk.top), walk.contents)
    for reason, count in walk.skipped.items():
        log.warning("%s: %d passed over, %s: first %r", root, count, reason, walk.first[reason])


def deeper(top: F, contents: Callable[[F], Iterator[Run | F]]) -> Iterator[Run]:
    """The runs of TOP and of all folders under it; CONTENTS yields the runs and folders of one."""
    stack = [contents(top)]
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
        elif isinstance(item, Run):
            yield item
        else:
            stack.append(contents(item))


class _Walk:
    """One walk over a local tree: what it looks for, and what it passed over."""

    def __init__(self, top: str, extensions: frozenset[str], links: Links) -> None:
        self.top = top
        self.extensions = extensions
        self.links = links
        self.skipped: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def contents(self, folder: Folder) -> Iterator[Run | Folder]:
        """The runs of files and the folders directly in FOLDER, in the order of their keys."""
        plain = legible(folder.path) == folder.path
        run = Run(folder.key)
        names, odd = self._names(folder)
        for name in names:
            if name.endswith("/"):
                entry = odd.get(name[:-1], name[:-1])
                if below := self._below(folder, f"{folder.path}/{entry}", name):
                    if run.keys:
                        yield run
                        run = Run(folder.key)
                    yield below
                continue
            path = f"{folder.path}/{odd.get(name, name) if odd else name}"
            if status := self._status(path):
                uri = path if plain and name not in odd else _url(path)
                run.add(folder.key + name, uri, status.st_size, status.st_mtime_ns, "")
            if len(run.keys) == ROWS:
                yield run
                run = Run(folder.key)
        if run.keys:
            yield run

    def _names(self, folder: Folder) -> tuple[list[str], dict[str, str]]:
        """The sorted names in FOLDER, a folder's with a slash, and the names that are not UTF-8."""
        names: list[str] = []
        odd: dict[str, str] = {}
        try:
            with os.scandir(folder.path or "/") as entries:
                for entry in entries:
                    name = legible(entry.name)
                    if name != entry.name:
                        odd[name] = entry.name
                    if entry.name.startswith("."):
                        continue
                    if entry.is_symlink() and not self._followed(entry.path):
                        continue
                    if entry.is_dir():
                        names.append(name + "/")
                    elif is_image(name, self.extensions):
                        names.append(name)
        except FileNotFoundError:
            self._skip("gone while it was listed", folder.path)
        names.sort()
        if odd and len({name.rstrip("/") for name in names}) < len(names):
            raise ValueError(
                f"{folder.path} holds two names that read the same as text, for one is not UTF-8 "
                f"(one of {sorted(odd)[:3]}): rename it."
            )
        return names, odd

    def _status(self, path: str) -> os.stat_result | None:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            self._skip("gone while it was listed, or a link to nothing", path)
            return None
        if not stat.S_ISREG(status.st_mode):
            self._skip("not a regular file", path)
            return None
        return status

    def _followed(self, path: str) -> bool:
        if self.links == "all":
            return True
        if self.links == "none":
            self._skip("a link (option links is 'none')", path)
            return False
        real = os.path.realpath(path)
        if real == self.top or real.startswith(self.top.rstrip("/") + "/"):
            return True
        self._skip("a link that leads out of the folder (links: all follows it)", path)
        return False

    def _below(self, folder: Folder, path: str, name: str) -> Folder | None:
        above = folder.above | {folder.real}
        real = os.path.realpath(path)
        if real in above:
            self._skip("a link back to a folder above it", path)
            return None
        return Folder(path, folder.key + name, real, above)

    def _skip(self, reason: str, path: str) -> None:
        self.skipped[reason] += 1
        self.first.setdefault(reason, path)


def _url(path: str) -> str:
    """PATH, a name that is not UTF-8, as a URL that stands for its very bytes."""
    return "file://" + quote_from_bytes(os.fsencode(path))
