"""What a second reader does, in a process of its own."""

from collections.abc import Sequence

from data.adapters.base import Dataset


def contents_of(dataset: Dataset, uris: Sequence[str]) -> list[bytes]:
    """The bytes of each of URIS; where they cannot be had, it raises."""
    contents = []
    for content in dataset.read(uris):
        if isinstance(content, OSError):
            raise content
        contents.append(content)
    return contents
