"""Whatever is stored becomes an upright RGB square; whatever is bad has one of five reasons."""

import io
import pickle
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from data.plan import digest_of
from models.pixels import DECODER, MIN_SIDE, BadImage, Transform, decode, header

Draw = Callable[..., bytes]


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def quadrants(width: int = 64, height: int = 48) -> Image.Image:
    """Red, green, blue and white quarters: every turn and mirror of it differs."""
    image = Image.new("RGB", (width, height), "white")
    image.paste("red", (0, 0, width // 2, height // 2))
    image.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    return image


def reason(content: bytes, call: Callable[[bytes], object] | None = None) -> str:
    with pytest.raises(BadImage) as caught:
        (call or Transform())(content)
    return caught.value.reason


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises WIDTH x HEIGHT and holds next to nothing."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 100)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("size", [8, 28, 64, 224])
@pytest.mark.parametrize("fit", ["squash", "crop"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_picture_becomes_a_square_of_bytes(draw: Draw, suffix: str, fit: str, size: int) -> None:
    pixels = Transform.model_validate({"size": size, "fit": fit})(draw(0, 90, 50, suffix))
    assert pixels.shape == (3, size, size)
    assert pixels.dtype == torch.uint8
    assert pixels.is_contiguous()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_exif_asks(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    content = encoded(quadrants(), kind, exif=exif)
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    assert np.array_equal(decode(content), np.asarray(wanted))


def test_a_broken_exif_block_spoils_no_picture() -> None:
    content = bytearray(encoded(quadrants(), "JPEG", exif=Image.Exif()))
    exif = b"Exif\0\0" + b"II*\0\xff\xff\xff\xff" + b"\0" * 6
    block = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    assert decode(bytes(content[:2] + block + content[2:])).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *((mode, "JPEG") for mode in ("L", "CMYK")),
        *((mode, "PNG") for mode in ("1", "L", "LA", "P", "RGBA")),
        *((mode, "TIFF") for mode in ("F", "CMYK", "I;16")),
        *((mode, "WEBP") for mode in ("RGB", "RGBA")),
        *(("RGB", "BMP"), ("RGB", "PPM"), ("P", "GIF")),
    ],
)
def test_every_kind_of_colour_becomes_rgb(mode: str, kind: str) -> None:
    if mode == "I;16":
        grey = np.asarray(quadrants().convert("L")).astype(np.uint16) << 8
        image = Image.fromarray(grey)
    else:
        image = quadrants().convert(mode)
    pixels = decode(encoded(image, kind))
    assert pixels.shape == (48, 64, 3)
    assert pixels[40, 50].min() > 240  # the white quarter
    assert pixels[5, 5, 1] < 130  # the red one, whatever became of it


def test_sixteen_bits_keep_their_upper_eight() -> None:
    deep = np.tile(np.arange(64, dtype=np.uint16) * 1024, (16, 1))
    pixels = decode(encoded(Image.fromarray(deep), "PNG"))
    assert np.array_equal(pixels[0, :, 0], np.arange(64) * 4)


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (decode(encoded(clear, "PNG")) == 255).all()
    palette = Image.new("P", (20, 20), 3)
    palette.putpalette([0, 0, 0] * 256)
    assert (decode(encoded(palette, "PNG", transparency=3)) == 255).all()
    assert (decode(encoded(palette, "PNG", transparency=bytes([255, 255, 255, 0]))) == 255).all()


def test_of_several_frames_the_first_is_seen() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(content)[0, 0].tolist() == [255, 0, 0]


def test_what_is_bad_says_why(draw: Draw) -> None:
    photo, drawing = draw(1), draw(1, suffix="png")
    assert reason(b"") == "empty"
    assert reason(b"<html>404</html>") == "not an image"
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "not an image"
    assert reason(photo[:5]) == "truncated"
    assert reason(photo[: len(photo) // 2]) == "truncated"
    assert reason(photo[:-3]) == "truncated"
    assert reason(drawing[: len(drawing) // 2]) == "truncated"
    assert reason(drawing[:20]) == "truncated"
    assert reason(encoded(Image.new("RGB", (1, 1)), "GIF")) == "too small"
    assert reason(encoded(Image.new("RGB", (MIN_SIDE - 1, 400)), "JPEG")) == "too small"


@pytest.mark.parametrize("side", [10_001, 30_000, 2**31 - 1])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    for call in (header, Transform()):
        assert reason(png_header(side, side), call) == "too large"


def test_a_jpeg_bomb_is_refused_by_its_header(draw: Draw) -> None:
    content = bytearray(draw(0))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    assert reason(bytes(content), header) == "too large"


def test_a_header_is_read_without_decoding(draw: Draw) -> None:
    assert (head := header(draw(0, 90, 50))).suffix == "jpg"
    assert (head.width, head.height) == (90, 50)
    assert header(png_header(3000, 2000)).width == 3000
    for kind, suffix in (("GIF", "gif"), ("WEBP", "webp"), ("BMP", "bmp"), ("TIFF", "tiff")):
        assert header(encoded(quadrants(), kind)).suffix == suffix


@settings(max_examples=150, deadline=None)
@given(
    at=st.integers(0, 2000), junk=st.binary(min_size=1, max_size=40), kind=st.sampled_from(range(5))
)
def test_damage_ends_in_pixels_or_in_bad_image(at: int, junk: bytes, kind: int) -> None:
    name = ("JPEG", "PNG", "GIF", "WEBP", "TIFF")[kind]
    content = encoded(quadrants(), name)
    at %= len(content)
    damaged = content[:at] + junk + content[at + len(junk) :]
    try:
        outcome: object = tuple(Transform(size=16)(damaged).shape)
    except BadImage as error:
        outcome = error.reason
    assert outcome in ((3, 16, 16), "empty", "not an image", "truncated", "too small", "too large")


def test_a_large_jpeg_is_decoded_at_a_fraction_and_looks_the_same(draw: Draw) -> None:
    content = draw(3, 640, 480)
    assert decode(content, 128).shape == (180, 240, 3)  # 3/8: the least that suffices
    assert decode(content, 0).shape == decode(content, 300).shape == (480, 640, 3)
    fast = Transform(size=64)(content).int()
    whole = encoded(Image.fromarray(decode(content)), "PNG")
    assert (fast - Transform(size=64)(whole).int()).abs().float().mean() < 1.5


def test_resizing_is_antialiased() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the result can show: must turn grey, not black or white
    pixels = Transform(size=32)(encoded(Image.fromarray(stripes), "PNG"))
    assert 120 <= int(pixels.min()) <= int(pixels.max()) <= 135


def test_a_crop_is_the_central_square() -> None:
    image = Image.new("RGB", (300, 100), "black")
    image.paste("white", (100, 0, 200, 100))
    content = encoded(image, "PNG")
    assert (Transform(size=32, fit="crop")(content) == 255).all()
    assert (Transform(size=32, fit="squash")(content) == 0).any()


def test_a_transform_gives_the_same_in_threads_and_after_pickling(draw: Draw) -> None:
    transform = Transform(size=48)
    contents = [draw(seed, 200, 100) for seed in range(12)]
    alone = torch.stack([transform(content) for content in contents])
    copy = pickle.loads(pickle.dumps(transform))
    with ThreadPoolExecutor(4) as pool:
        assert torch.equal(torch.stack(list(pool.map(copy, contents))), alone)
    assert copy.digest == transform.digest != Transform(size=49).digest


def test_edges_are_dark_lines_on_white_for_photographs_and_drawings_alike() -> None:
    paper = Image.new("RGB", (240, 240), "white")
    shape = paper.copy()
    shape.paste((90, 40, 160), (60, 60, 180, 180))
    drawing = paper.copy()
    ImageDraw.Draw(drawing).rectangle((58, 58, 182, 182), outline="black", width=4)
    seen = [
        Transform(size=64, see="edges")(encoded(image, "PNG")) for image in (paper, shape, drawing)
    ]
    assert all(pixels.dtype == torch.uint8 for pixels in seen)
    assert all(pixels.shape == (3, 64, 64) for pixels in seen)
    blank, photo, lines = (pixels.float() for pixels in seen)
    assert (blank == 255).all()
    assert 0.02 < (photo < 128).float().mean() < 0.2, "its outline, and not its inside"
    assert (photo[:, 30:34, 30:34] == 255).all()
    apart = (photo - lines).abs().mean()
    assert apart < (Transform(size=64)(encoded(shape, "PNG")).float() - lines).abs().mean() / 3


def test_what_sees_colours_goes_by_the_name_that_it_always_had() -> None:
    assert Transform(size=48).digest == digest_of({"size": 48, "fit": "squash"})
    assert Transform(size=48, see="edges").digest != Transform(size=48).digest
    said = Transform(size=48, see="edges").model_dump_json()
    assert Transform.model_validate_json(said).see == "edges"
    assert Transform.model_validate({"size": 48, "fit": "squash"}) == Transform(size=48)


def test_the_decoder_names_libraries_with_versions() -> None:
    assert all(name in DECODER for name in ("simplejpeg ", "pillow ", "libjpeg-turbo "))


@pytest.mark.real
def test_real_photographs_are_decoded_as_pillow_decodes_them(shared_datasets: Path) -> None:
    photos = sorted((shared_datasets / "photos-imagenet-sample-100").rglob("*.JPEG"))
    photos = photos or sorted((shared_datasets / "photos-imagenet-sample-100").rglob("*.jp*g"))
    assert len(photos) == 100
    for path in photos[::5]:
        content = path.read_bytes()
        wanted = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        assert np.abs(decode(content).astype(int) - np.asarray(wanted)).max() <= 4
        assert Transform(size=64)(content).shape == (3, 64, 64)
