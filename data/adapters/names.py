"""What the names in a source say: which files are images, of which split; and any name as text."""

import os
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, Field

IMAGES: Final = (
    "avif", "bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp",
)  # fmt: skip

SPLITS: Final = frozenset({"train", "val", "validation", "test", "query", "gallery"})


def _plain(words: tuple[str, ...]) -> tuple[str, ...]:
    plain = tuple(word.removeprefix(".").lower() for word in words)
    for word in plain:
        if not word.isalnum():  # in particular no '#', which starts a range in a uri
            raise ValueError(f"{word!r} is no extension: letters and digits, as in jpg")
    return plain


Extensions = Annotated[
    tuple[str, ...],
    AfterValidator(_plain),
    Field(description="what the names of images end in, in any case"),
]


def is_image(name: str, extensions: frozenset[str]) -> bool:
    """Whether NAME is not hidden and ends in one of EXTENSIONS."""
    return not name.startswith(".") and suffix_of(name) in extensions


def suffix_of(name: str) -> str:
    """What follows the last dot of NAME, in small letters; empty where there is no dot."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def split_of(folders: Sequence[str]) -> str:
    """The first of FOLDERS, the way down to an image, where it names a split; else empty."""
    return folders[0] if folders and folders[0].lower() in SPLITS else ""


def legible(name: str) -> str:
    r"""NAME as text that UTF-8 can hold: bytes that are not UTF-8 are written ``\xHH``."""
    if name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")
