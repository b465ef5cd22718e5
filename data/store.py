"""Where everything lies: one folder or bucket, and the few ways in which Nightjar writes to it.

Objects are written whole or not at all, and `create` succeeds for exactly one of many callers: on
these two the lease, the alias and the resumption of a killed night rest.
"""

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import fsspec

DEFAULT_ROOT = "store"


@dataclass(frozen=True)
class Store:
    """A folder (``store/``, ``/mnt/x``) or a bucket (``s3://bucket/prefix``) that holds all bytes.

    Names are relative, with forward slashes; they are made by Nightjar, never taken from a source.

    Args:
        root: a path or URL. A bucket's credentials and endpoint come from the environment:
            ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_ENDPOINT_URL``, ``AWS_REGION``.
    """

    root: str = field(default_factory=lambda: os.environ.get("NIGHTJAR_STORE", DEFAULT_ROOT))

    def __post_init__(self) -> None:
        root = self.root.rstrip("/")
        object.__setattr__(self, "root", root if "://" in root else str(Path(root).absolute()))

    @property
    def local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return "://" not in self.root

    @cached_property
    def fs(self) -> Any:
        """The fsspec filesystem of the root; remembers no listing, for others write there too."""
        return fsspec.url_to_fs(self.root, use_listings_cache=False)[0]

    @property
    def lance_options(self) -> dict[str, str] | None:
        """What Lance needs to reach the root, as its ``storage_options``; None for a folder."""
        if self.local:
            return None
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        options = {"aws_region": os.environ.get("AWS_REGION", "us-east-1")}
        if endpoint:
            options |= {"aws_endpoint": endpoint, "aws_virtual_hosted_style_request": "false"}
        if endpoint.startswith("http://"):
            options["allow_http"] = "true"
        return options

    def uri(self, name: str) -> str:
        """The full path or URL of NAME, for engines that read and write by themselves."""
        return f"{self.root}/{name}" if name else self.root

    def exists(self, name: str) -> bool:
        """Whether NAME is there."""
        return bool(self.fs.exists(self.uri(name)))

    def read(self, name: str) -> bytes:
        """The bytes of NAME.

        Raises:
            FileNotFoundError: there is no such object.
        """
        data: bytes = self.fs.cat_file(self.uri(name))
        return data

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """LENGTH bytes of NAME from OFFSET."""
        data: bytes = self.fs.cat_file(self.uri(name), start=offset, end=offset + length)
        return data

    def write(self, name: str, content: bytes) -> None:
        """Put CONTENT under NAME, replacing what was there; no reader ever sees a part of it."""
        if not self.local:
            self.fs.pipe_file(self.uri(name), content)
            return
        with self.replacing(name) as out:
            out.write(content)

    def create(self, name: str, content: bytes) -> bool:
        """Put CONTENT under NAME if nothing is there; False where somebody was first (atomic)."""
        if not self.local:
            try:
                self.fs.pipe_file(self.uri(name), content, mode="create")
            except FileExistsError:
                return False
            return True
        target = Path(self.uri(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        try:
            part.write_bytes(content)
            os.link(part, target)
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
        return True

    @contextmanager
    def replacing(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write NAME to; it appears, whole, when the block ends without an exception."""
        if not self.local:
            with self.fs.transaction, self.fs.open(self.uri(name), "wb") as out:
                yield out
            return
        target = Path(self.uri(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        try:
            with part.open("wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """The whole objects directly under FOLDER, by name, sorted; none where it is not there."""
        if self.local:  # fsspec would ask for the status of each
            try:
                bases: Iterable[str] = os.listdir(self.uri(folder))
            except (FileNotFoundError, NotADirectoryError):
                return []
            return sorted(base for base in bases if not base.startswith("."))
        try:
            found = self.fs.ls(self.uri(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        bases = (str(path).rstrip("/").rsplit("/", 1)[-1] for path in found)
        return sorted(base for base in bases if base and not base.startswith("."))

    def delete(self, name: str) -> None:
        """Remove NAME, a file or a folder with all in it; nothing happens where it is not there."""
        if self.exists(name):
            self.fs.rm(self.uri(name), recursive=True)
