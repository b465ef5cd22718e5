"""A file on its way: what has come of it, of which version it is the beginning, and its check.

``NAME.part`` is what has come, ``NAME.part.json`` says of what. ``NAME`` appears whole and checked.
A part is held by a lock that the system frees when its process dies: no kill leaves it locked.
"""

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pydantic import ValidationError

from data.adapters.card import Source
from data.plan import Plan

PIECE: Final = 1 << 20
WAIT: Final = 0.2
"""Seconds between two looks at a part that another download holds."""

Gained = Callable[[int], None]


class Stopped(OSError):
    """A download that was told to stop; its part stays for the next."""


class Version(Plan):
    """Which content a part is the beginning of, as its server says.

    Args:
        url: where it came from.
        etag: the server's mark of a content, if it is a strong one.
        modified: the time stamp as it was sent.
        length: of the whole; 0 where the server does not say.
    """

    url: str = ""
    etag: str = ""
    modified: str = ""
    length: int = 0

    def differs(self, other: "Version") -> bool:
        """Whether OTHER is surely another content."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in Version.model_fields)
        return any(mine and theirs and mine != theirs for mine, theirs in pairs)


class Part:
    """What has come of the file TARGET, open and locked; made by `held`."""

    def __init__(self, target: Path, file: IO[bytes]) -> None:
        self.target, self.file = target, file
        self.path = _part(target)
        self.tag = target.with_name(f"{target.name}.part.json")
        self.size = 0
        self.version = Version()
        self.hashes: dict[str, hashlib._Hash] = {}

    def begin(self, source: Source, gained: Gained) -> bool:
        """Look at what is there of SOURCE; whether some of it can be gone on with.

        It cannot where neither the server's marks nor a digest would tell two versions apart.
        """
        self.hashes = {name: hashlib.new(name) for name in ("sha256", "md5") if _said(source, name)}
        try:
            self.version = Version.model_validate_json(self.tag.read_bytes())
        except (FileNotFoundError, ValidationError):
            self.version = Version()
        told = self.version.etag or self.version.modified or self.hashes
        if self.version.url != source.url or not told:
            self.restart(gained)
            return False
        self.file.seek(0)
        while piece := self.file.read(PIECE):  # the digest is of all of it
            self._count(piece)
            gained(len(piece))
        return self.size > 0

    def restart(self, gained: Gained) -> None:
        """Forget what has come."""
        if self.size:
            gained(-self.size)
        self.file.seek(0)
        self.file.truncate()
        self.size = 0
        self.hashes = {name: hashlib.new(name) for name in self.hashes}

    def of(self, version: Version) -> None:
        """What comes from now on is of VERSION."""
        self.version = version
        fresh = self.tag.with_name(f"{self.tag.name}.new")
        fresh.write_text(json.dumps(version.model_dump()))
        fresh.replace(self.tag)

    def write(self, piece: bytes) -> None:
        """Append PIECE."""
        self.file.write(piece)
        self._count(piece)

    def room(self, length: int) -> None:
        """Nothing, where the rest of LENGTH bytes fits on the disk.

        Raises:
            OSError: it does not; says how much is missing.
        """
        free = shutil.disk_usage(self.path.parent).free
        if length - self.size > free:
            raise OSError(
                f"{self.target} needs {length - self.size:,} bytes more, and {free:,} are free on "
                "its disk: make room, or choose another folder."
            )

    def mistake(self, source: Source) -> str:
        """What is wrong with the whole file; empty where it is as SOURCE says."""
        found = {name: made.hexdigest() for name, made in self.hashes.items()}
        return _mistake(source, self.size, found)

    def become(self, target: Path) -> None:
        """Put the whole file in its place; it is on the disk when it appears there."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.path.replace(target)
        self.tag.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Where the false file that has come is now."""
        self.tag.unlink(missing_ok=True)
        return set_aside(self.path, self.target)

    def leave(self) -> None:
        """Remove a part of which nothing has come."""
        if not self.size and _is(self.file, self.path):
            self.tag.unlink(missing_ok=True)
            self.path.unlink()

    def _count(self, piece: bytes) -> None:
        self.size += len(piece)
        for made in self.hashes.values():
            made.update(piece)


@contextmanager
def held(target: Path, stop: threading.Event) -> Iterator[Part]:
    """The part of TARGET, in the hands of this download alone; waits while another holds it.

    Raises:
        Stopped: STOP was set meanwhile.
    """
    path = _part(target)
    while True:
        with path.open("a+b") as file:
            while not _locked(file):
                if stop.wait(WAIT):
                    raise Stopped(f"Stopped waiting for the download that holds {path}.")
            if _is(file, path):  # else whoever held it has put it in its place
                part = Part(target, file)
                try:
                    yield part
                finally:
                    part.leave()
                return


def mistaken(source: Source, path: Path, gained: Gained) -> str:
    """What is wrong with the file PATH; empty where it is as SOURCE says."""
    found = {name: hashlib.new(name) for name in ("sha256", "md5") if _said(source, name)}
    size = path.stat().st_size
    if found and size == (source.bytes or size):
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                gained(len(piece))
                for made in found.values():
                    made.update(piece)
    else:
        gained(size)
    return _mistake(source, size, {name: made.hexdigest() for name, made in found.items()})


def set_aside(path: Path, target: Path) -> Path:
    """Where the false file PATH is now, out of the way of TARGET."""
    bad = target.with_name(f"{target.name}.bad")
    return path.replace(bad)


def _mistake(source: Source, size: int, digests: dict[str, str]) -> str:
    if source.bytes and size != source.bytes:
        return f"{source.name} has {size:,} bytes and should have {source.bytes:,}."
    for name, digest in digests.items():
        if digest != _said(source, name):
            return f"the {name} of {source.name} is {digest} and should be {_said(source, name)}."
    return ""


def _said(source: Source, name: str) -> str:
    """The digest NAME of SOURCE, as its card says; empty where it does not."""
    return {"sha256": source.sha256, "md5": source.md5}[name]


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(file: IO[bytes], path: Path) -> bool:
    """Whether FILE, which is open, is still the one at PATH."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
