"""The header of an encoder's file, a safetensors, read without what computes."""

import json
import struct
from typing import Any, Final

from pydantic import ValidationError

from models.spec import EncoderSpec

HEADER_KEY: Final = "nightjar"

LONGEST_HEADER: Final = 100_000_000
"""Bytes; safetensors takes none that is longer."""
LENGTH: Final = 8
"""Bytes that say how long the header after them is."""


def header_of(content: bytes) -> dict[str, Any]:
    """What a safetensors file's header says: each tensor's type, shape and place, and metadata.

    CONTENT is the file, or as much of it as reaches to the end of its header.

    Raises:
        ValueError: CONTENT has no such header.
    """
    if len(content) < LENGTH:
        raise ValueError("it is too short for a safetensors header")
    length = length_of(content)
    if length > min(LONGEST_HEADER, len(content) - LENGTH):
        raise ValueError(f"a safetensors header of {length:,} bytes is more than there is")
    try:
        header = json.loads(content[LENGTH : LENGTH + length])
    except RecursionError as error:
        raise ValueError("its safetensors header is nested too deeply") from error
    if not isinstance(header, dict):
        raise ValueError("its safetensors header is no object")
    return header


def length_of(content: bytes) -> int:
    """How long the header is, by the first `LENGTH` bytes of CONTENT."""
    (length,) = struct.unpack("<Q", content[:LENGTH])
    return int(length)


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
