"""What a person asks with, as the words of a command say it: queries of each form."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from data.taxonomy import unknown
from flows.cli.app import the_bytes
from flows.cli.exits import Misuse

if TYPE_CHECKING:
    from tasks.searching.question import Query

FILES: Final = ("image", "sketch")
"""Forms of query that a file may be."""


def asked_with(
    images: Sequence[str],
    form: str = "image",
    real: bool = False,
    texts: Sequence[str] = (),
    boxes: Sequence[str] = (),
    scales: str = "",
) -> "list[Query]":
    """What a person asks with: here a form of `tasks.searching.question.FORMS` gets its option.

    Raises:
        Misuse: a file cannot be read, files are of no such FORM, BOXES are not one for each, or
            SCALES are none, or nothing asks that has a size.
    """
    from tasks.searching.question import Query

    if form not in FILES:
        raise Misuse(unknown("form of query that is a file", form, FILES))
    if real and form != "image":
        raise Misuse(f"--real asks with an image's own numbers: leave --as {form} out.")
    if boxes and (real or form != "image"):
        raise Misuse(
            "--box asks with a part of an image as the index sees it: leave --as and --real out."
        )
    if scales and not images:
        raise Misuse("--scales says at which sizes images ask: leave it out, or name an image.")
    said = [Query("text", words, words) for words in texts]
    asked = images_of(images, "real" if real else form, scales)
    return [*(_parts(asked, boxes) if boxes else asked), *said]


def images_of(paths: Sequence[str], form: str, scales: str) -> "list[Query]":
    """The image files PATHS as queries of a FORM, at the SCALES that a person said.

    Raises:
        Misuse: a file cannot be read, or SCALES are none.
    """
    from models.scales import scales_of
    from tasks.searching.question import Query

    try:
        sizes = scales_of(scales) if scales else ()
    except ValueError as error:
        raise Misuse(f"--scales: {error}") from error
    return [Query(form, the_bytes(path), path, sizes) for path in paths]


def _parts(asked: "Sequence[Query]", boxes: Sequence[str]) -> "list[Query]":
    """What those of ASKED show within BOXES, one for each.

    Raises:
        Misuse: they are not as many, or one is none.
    """
    from data.regions import Region

    if len(boxes) != len(asked):
        raise Misuse(
            f"{len(boxes)} boxes are said, and {len(asked)} images: say --box once for each."
        )
    try:
        regions = [Region.told(words) for words in boxes]
    except ValueError as error:
        raise Misuse(f"--box: {error}") from error
    pairs = zip(asked, regions, strict=True)
    return [replace(one, form="region", content=(one.content, region)) for one, region in pairs]
