"""A drawing is black on white, however it was drawn, photographed or exported."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.pixels import BadImage, decode
from tasks.searching.sketch import clean_sheet

BOX = (20, 20, 76, 60)


def drawing(paper: str, ink: str, mode: str = "RGB") -> bytes:
    image = Image.new(mode, (96, 80), paper)
    ImageDraw.Draw(image).rectangle(BOX, outline=ink, width=3)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


PLAIN = decode(drawing("#ffffff", "#000000"))


@pytest.mark.parametrize(
    ("paper", "ink", "mode"),
    [
        ("#ffffff", "#000000", "RGB"),
        ("#000000", "#ffffff", "RGB"),
        ("#d8d0c0", "#203060", "RGB"),
        ("#205030", "#f0f0e0", "RGB"),
        ("#00000000", "#000000ff", "RGBA"),
        ("#00000000", "#ffffffff", "RGBA"),
        ("#ffffff00", "#ffffffff", "RGBA"),
    ],
)
def test_a_sheet_is_black_on_white(paper: str, ink: str, mode: str) -> None:
    assert np.array_equal(decode(clean_sheet(drawing(paper, ink, mode))), PLAIN)


def test_an_uneven_photograph_of_a_sheet_keeps_its_lines_darkest() -> None:
    light = np.linspace(0.7, 0.9, 96)[None, :, None]
    sheet = (decode(drawing("#ffffff", "#000000")) * light).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "JPEG", quality=90)
    found = decode(clean_sheet(out.getvalue())).astype(int)
    assert found[PLAIN == 0].max() < 80
    assert found[PLAIN == 255].mean() > 230


@pytest.mark.parametrize(
    ("paper", "mode"), [("#ffffff", "RGB"), ("#8090a0", "RGB"), ("#00000000", "RGBA")]
)
def test_a_sheet_without_lines_is_refused(paper: str, mode: str) -> None:
    with pytest.raises(ValueError, match="no lines"):
        clean_sheet(drawing(paper, paper, mode))


def test_what_is_no_picture_is_bad() -> None:
    with pytest.raises(BadImage):
        clean_sheet(b"no picture")
