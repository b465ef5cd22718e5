"""Tags that lie in a small text file a picture, one tag a line."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from data.adapters.reading import read_uris

LONGEST: Final = 1 << 20
"""Bytes of a file of tags that are read; nobody gives one picture more."""


def read_tags(uris: Sequence[str]) -> pa.ListArray:
    r"""The lines of each of the files at URIS, without blanks around them, the empty ones left out.

    An empty uri stands for a picture that nobody has tagged. Tags are in any language and by rule
    UTF-8; a byte that is not is written ``\xHH``.

    Raises:
        OSError: a file cannot be read: its tags would be lost in silence.
    """
    contents = read_uris([uri for uri in uris if uri])
    tags: list[list[str]] = []
    for uri in uris:
        content = next(contents) if uri else b""
        if isinstance(content, OSError):
            raise content
        lines = content[:LONGEST].decode("utf-8-sig", "backslashreplace").splitlines()
        tags.append([line.strip() for line in lines if line.strip()])
    return pa.array(tags, pa.list_(pa.string()))
