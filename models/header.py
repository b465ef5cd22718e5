"""The header of an encoder's file, a safetensors, read without what computes."""

import json
import struct
from typing import Any, Final

from pydantic import ValidationError

from models.spec import EncoderSpec

HEADER_KEY: Final = "nightjar"

LONGEST_HEADER: Final = 100_000_000
"""Bytes; safetensors takes none that is longer."""
START: Final = 8
"""Bytes before the header, which say how long it is."""


def length_of(start: bytes, size: int) -> int:
    """How long the header is of a file of SIZE bytes that begins with START.

    Raises:
        ValueError: the file has no such header.
    """
    if size < START or len(start) < START:
        raise ValueError("it is too short for a safetensors header")
    (length,) = struct.unpack("<Q", start[:START])
    if length > min(LONGEST_HEADER, size - START):
        raise ValueError(f"a safetensors header of {length:,} bytes is more than there is")
    return int(length)


def header_of(content: bytes) -> dict[str, Any]:
    """What a safetensors file's header says: each tensor's type, shape and place, and metadata.

    Args:
        content: the file, or its beginning up to the end of the header.

    Raises:
        ValueError: CONTENT has no such header.
    """
    length = length_of(content, len(content))
    try:
        header = json.loads(content[START : START + length])
    except RecursionError as error:
        raise ValueError("its safetensors header is nested too deeply") from error
    if not isinstance(header, dict):
        raise ValueError("its safetensors header is no object")
    return header


def spec_of(content: bytes) -> EncoderSpec:
    """The description in the header of an encoder's file, of which the header will do.

    Raises:
        ValueError: CONTENT is not an encoder of ours.
    """
    try:
        return EncoderSpec.model_validate_json(header_of(content)["__metadata__"][HEADER_KEY])
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            "This is not an encoder that Nightjar saved: its safetensors header does not describe "
            f"one ({type(error).__name__}: {error})."
        ) from error
