"""From the bytes of a picture to the square of pixels that an encoder sees, or why they are bad.

Decoding is simplejpeg's for JPEG and Pillow's for the rest; resizing is torch's antialiased one on
uint8. Whatever is stored (grey, CMYK, palette, alpha, 16 bits, several frames, turned by EXIF), the
result is upright RGB.
"""

import importlib.metadata
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps, features
from pydantic import Field

from data.plan import Kept

if TYPE_CHECKING:
    import torch

DECODER: Final = (
    f"simplejpeg {importlib.metadata.version('simplejpeg')}, "
    f"pillow {importlib.metadata.version('pillow')}, "
    f"libjpeg-turbo {features.version_feature('libjpeg_turbo') or 'none'}"
)
"""The decoder libraries and their versions: what one of them refused may please another."""

MIN_SIDE: Final = 8
"""Pixels; a picture that is narrower or lower shows nothing (tracking pixels, spacers)."""

MAX_SIDE: Final = 1024
"""Pixels; the largest square that an encoder sees."""

MAX_PIXELS: Final = 100_000_000
"""Pixels; a header that promises more is taken for a decompression bomb and never decoded."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own guard would warn of pictures that we accept

Reason = Literal["empty", "not an image", "truncated", "too small", "too large"]
Pixels = NDArray[np.uint8]

Sight = Literal["colours", "edges"]
"""What an encoder is shown of a picture."""

_SUFFIXES: Final = {
    "JPEG": "jpg",
    "MPO": "jpg",
    "PNG": "png",
    "GIF": "gif",
    "WEBP": "webp",
    "BMP": "bmp",
    "TIFF": "tiff",
    "PPM": "ppm",
    "JPEG2000": "jp2",
    "AVIF": "avif",
}
"""The formats we open. Not all that Pillow can: EPS, for one, would start another program."""

_MAGIC: Final = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"RIFF",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0\x0cjP",
)
_JPEG: Final = _MAGIC[0]


class BadImage(ValueError):
    """These bytes cannot be used as a picture.

    Args:
        reason: one of "empty", "not an image", "truncated" (starts as an image, but breaks off or
            cannot be decoded to its end), "too small", "too large".
        detail: what the decoder said.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's first bytes say: pixels as stored (before EXIF's turn), a file suffix."""

    width: int
    height: int
    suffix: str


def header(content: bytes) -> Header:
    """The size and format of the picture in CONTENT, without decoding it.

    Raises:
        BadImage: CONTENT is empty, not an image, breaks off within its header, or says that it is
            smaller than `MIN_SIDE` or larger than `MAX_PIXELS`.
    """
    return _header(content)[0]


class Transform(Kept):
    """What every picture goes through before an encoder sees it; part of the encoder's digest."""

    later: ClassVar[Mapping[str, Any]] = {"see": "colours"}

    size: int = Field(
        default=64, ge=MIN_SIDE, le=MAX_SIDE, description="side of the square, pixels"
    )
    fit: Literal["squash", "crop"] = Field(
        default="squash",
        description="squash: the whole picture, distorted; crop: its central square",
    )
    see: Sight = Field(
        default="colours",
        description="edges: dark lines on white, where a photograph has edges and a drawing lines",
    )

    def __call__(self, content: bytes) -> "torch.Tensor":
        """The picture in CONTENT as (3, S, S) uint8 RGB; safe to call from many threads.

        Raises:
            BadImage: CONTENT cannot be used.
        """
        import torch
        from torch.nn import functional

        side = self.size if self.see == "colours" else 2 * self.size
        pixels = decode(content, 2 * side)  # (H, W, 3)
        if self.fit == "crop":
            pixels = _central_square(pixels)
        image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
        if image.shape[2:] != (side, side):
            image = functional.interpolate(image, (side, side), mode="bilinear", antialias=True)
        if self.see == "edges":
            from models import edges

            image = edges.halved(image)
        return image[0].contiguous()


def decode(content: bytes, enough: int = 0) -> Pixels:
    """The picture in CONTENT as upright RGB, (H, W, 3) uint8.

    Args:
        content: the bytes of an image file.
        enough: pixels; a JPEG whose sides are all at least twice this is decoded at a fraction of
            its size (the DCT's own scaling), never below this. 0: at full size.

    Raises:
        BadImage: CONTENT cannot be used.
    """
    head, colours = _header(content)
    if colours in ("RGB", "YCbCr", "Gray", "GRAY"):
        pixels = _jpeg(content, enough if 0 < 2 * enough <= min(head.width, head.height) else 0)
        if pixels is not None:
            return _upright(pixels, _orientation(content))
    return _any(content)


def _header(content: bytes) -> tuple[Header, str]:
    """The header of CONTENT, and the colour space that it is stored in where that is a JPEG."""
    if not content:
        raise BadImage("empty")
    head, colours = _jpeg_header(content) or (_any_header(content), "")
    if min(head.width, head.height) < MIN_SIDE:
        raise BadImage("too small", f"{head.width} x {head.height} pixels, {MIN_SIDE} needed")
    if head.width * head.height > MAX_PIXELS:
        raise BadImage("too large", f"{head.width} x {head.height} pixels, {MAX_PIXELS:,} allowed")
    return head, colours


def _jpeg_header(content: bytes) -> tuple[Header, str] | None:
    """The header and colour space of a JPEG; None where this is none, or is Pillow's to judge."""
    if not content.startswith(_JPEG):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return None
    return Header(width, height, "jpg"), colours


def _any_header(content: bytes) -> Header:
    """The header of CONTENT in whatever format."""
    with _open(content) as image:
        return Header(image.width, image.height, _SUFFIXES[image.format or ""])


@cache
def _formats() -> tuple[str, ...]:
    """Those of our formats that this Pillow opens; asked late, for it imports all its plugins."""
    Image.init()
    return tuple(name for name in _SUFFIXES if name in Image.OPEN)


def _open(content: bytes) -> Image.Image:
    """CONTENT as a Pillow image, not yet decoded."""
    try:
        return Image.open(io.BytesIO(content), formats=_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("too large", str(error)) from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's parsers let any error out of a header that makes no sense
        if content.startswith(_MAGIC):
            raise BadImage("truncated", "the header cannot be read") from error
        raise BadImage("not an image") from error


def _jpeg(content: bytes, enough: int) -> Pixels | None:
    """A JPEG as (H, W, 3), as stored; None where Pillow, which tolerates more, shall judge it."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(content, "RGB", min_height=enough, min_width=enough)
    except ValueError as error:
        if "remature end" in str(error):
            raise BadImage("truncated", str(error)) from error
        return None
    return pixels


def _any(content: bytes) -> Pixels:
    """CONTENT, in whatever format, as upright RGB; of several frames the first."""
    try:
        with _open(content) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
            return np.array(_rgb(upright))
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # as in `_open`: the data are foreign, and so are the errors
        raise BadImage("truncated", str(error)) from error


def _rgb(image: Image.Image) -> Image.Image:
    """IMAGE in RGB: transparent parts on white, the upper 8 of 16 bits, floats cut to 0..255."""
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray(np.clip(deep >> 8, 0, 255).astype(np.uint8))
    elif image.mode == "F":
        image = Image.fromarray(np.clip(np.nan_to_num(np.asarray(image)), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert("RGB")


def _orientation(content: bytes) -> int:
    """How a JPEG asks to be turned (EXIF tag 274): 1 is upright."""
    start = content.find(b"Exif\0\0", 0, 65_536)
    if start < 4 or content[start - 4 : start - 2] != b"\xff\xe1":
        return 1
    length = int.from_bytes(content[start - 2 : start])
    exif = Image.Exif()
    try:
        exif.load(content[start : start + length])
        turned = exif.get(274, 1)
    except MemoryError:
        raise
    except Exception:  # a broken EXIF block spoils no picture, whatever Pillow says of it
        return 1
    return turned if isinstance(turned, int) else 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """PIXELS as stored (H, W, 3), turned as EXIF's ORIENTATION 1..8 asks; others mean upright."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _central_square(pixels: Pixels) -> Pixels:
    """The largest square in the middle of PIXELS (H, W, 3)."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]
