"""Drawings are what their papers' formulas say, pixel by pixel, and look as drawings do."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import edges

Plane = NDArray[np.float64]
Draw = Callable[[torch.Tensor], torch.Tensor]

EACH = pytest.mark.parametrize("draw", edges.EDGES.values(), ids=edges.EDGES)


def pictures(count: int = 2, height: int = 11, width: int = 13, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 5, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def lightness(image: torch.Tensor) -> Plane:
    red, green, blue = image.double().numpy()
    plane: Plane = 0.299 * red + 0.587 * green + 0.114 * blue
    return plane


def at(plane: Plane, row: int, column: int) -> float:
    """The pixel of PLANE, which goes on beyond its border as it ends."""
    height, width = plane.shape
    return float(plane[min(max(row, 0), height - 1), min(max(column, 0), width - 1)])


def blur(plane: Plane, sigma: float) -> Plane:
    reach = max(1, round(3 * sigma))
    steps = range(-reach, reach + 1)
    weights = {(y, x): math.exp(-(y * y + x * x) / (2 * sigma**2)) for y in steps for x in steps}
    total = sum(weights.values())
    out = np.zeros_like(plane)
    for row in range(plane.shape[0]):
        for column in range(plane.shape[1]):
            near = (w * at(plane, row + y, column + x) for (y, x), w in weights.items())
            out[row, column] = sum(near) / total
    return out


def gradient(plane: Plane, row: int, column: int) -> tuple[float, float]:
    """Sobel's slopes at a pixel, rightwards and downwards, by his two masks over 4."""
    right = down = 0.0
    for step, weight in ((-1, 1), (0, 2), (1, 1)):
        right += weight * (at(plane, row + step, column + 1) - at(plane, row + step, column - 1))
        down += weight * (at(plane, row + 1, column + step) - at(plane, row - 1, column + step))
    return right / 4, down / 4


def ridges(plane: Plane, sigma: float, low: float, high: float) -> Plane:
    """Canny's lines: steepest across the gradient, and joined to one that is steep enough."""
    smooth = blur(plane, sigma)
    height, width = plane.shape
    cells = [(row, column) for row in range(height) for column in range(width)]
    slope = {cell: gradient(smooth, *cell) for cell in cells}
    steep = {cell: math.hypot(*slope[cell]) for cell in cells}
    ways = {0: (0, 1), 1: (1, 1), 2: (1, 0), 3: (1, -1)}
    kept = set()
    for row, column in cells:
        right, down = slope[row, column]
        y, x = ways[round(math.atan2(down, right) / (math.pi / 4)) % 4]
        here = steep[row, column]
        ahead, behind = steep.get((row + y, column + x), 0), steep.get((row - y, column - x), 0)
        if here > ahead and here >= behind and here >= low:
            kept.add((row, column))
    waiting = [cell for cell in kept if steep[cell] >= high]
    found = set(waiting)
    while waiting:
        row, column = waiting.pop()
        near = {(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)} & kept - found
        found |= near
        waiting += near
    return np.array(
        [[0.0 if (r, c) in found else 1.0 for c in range(width)] for r in range(height)]
    )


def test_sobel_is_the_length_of_the_gradient() -> None:
    batch = pictures()
    for image, drawing in zip(batch, edges.sobel(batch, gain=2.0), strict=True):
        plane = lightness(image)
        for row in range(plane.shape[0]):
            for column in range(plane.shape[1]):
                ink = min(1.0, 2 * math.hypot(*gradient(plane, row, column)))
                assert float(drawing[1, row, column]) == pytest.approx(1 - ink, abs=1e-5)


def test_a_step_from_black_to_white_is_black() -> None:
    half = torch.zeros(1, 3, 6, 8)
    half[..., 4:] = 1
    drawing = edges.sobel(half)[0, 0]
    assert torch.allclose(drawing[:, 3:5], torch.zeros(6, 2), atol=1e-6)
    assert torch.allclose(drawing[:, :3], torch.ones(6, 3), atol=1e-6)


@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.7])
def test_a_blur_is_a_gaussian_over_the_plane(sigma: float) -> None:
    batch = pictures(seed=1)
    for image, blurred in zip(batch, edges.blurred(edges.light(batch), sigma), strict=True):
        assert np.allclose(blurred[0].numpy(), blur(lightness(image), sigma), atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_canny_is_ridges_and_what_is_joined_to_them(seed: int) -> None:
    batch = pictures(2, 24, 28, seed=seed)
    drawn = edges.canny(batch, sigma=1.0, low=0.02, high=0.06)
    for image, drawing in zip(batch, drawn, strict=True):
        wanted = ridges(lightness(image), 1.0, 0.02, 0.06)
        assert 0 < (wanted == 0).sum() < wanted.size / 2
        # of two slopes that are equal but for rounding either may be the greater
        assert (drawing[0].numpy() != wanted).sum() <= 2


def test_xdog_is_the_papers_soft_threshold_of_the_difference_of_two_blurs() -> None:
    batch = pictures(seed=2)
    drawn = edges.xdog(batch, sigma=0.8, sharpness=30.0, level=-0.004, tau=0.98)
    for image, drawing in zip(batch, drawn, strict=True):
        plane = lightness(image)
        difference = blur(plane, 0.8) - 0.98 * blur(plane, 1.6 * 0.8)
        wanted = np.where(difference >= -0.004, 1, 1 + np.tanh(30 * (difference + 0.004)))
        assert wanted.min() < 0.9
        assert np.allclose(drawing[2].numpy(), wanted, atol=1e-5)


def test_every_image_may_be_drawn_by_another_hand() -> None:
    batch = pictures(3, seed=3)
    sharpness, level = torch.tensor([10.0, 25.0, 60.0]), torch.tensor([-0.02, -0.01, -0.002])
    together = edges.xdog(batch, sharpness=sharpness.view(3, 1, 1, 1), level=level.view(3, 1, 1, 1))
    for n in range(3):
        alone = edges.xdog(batch[n : n + 1], sharpness=float(sharpness[n]), level=float(level[n]))
        assert torch.allclose(together[n], alone[0], atol=1e-6)


@EACH
@given(seed=st.integers(0, 999))
def test_a_drawing_is_grey_within_range_and_each_is_drawn_alone(draw: Draw, seed: int) -> None:
    batch = pictures(3, 16, 12, seed=seed)
    drawings = draw(batch)
    assert drawings.shape == batch.shape
    assert drawings.dtype == torch.float32
    assert 0 <= float(drawings.min()) <= float(drawings.max()) <= 1
    assert torch.equal(drawings[:, 0], drawings[:, 2])
    assert torch.allclose(torch.cat([draw(one[None]) for one in batch]), drawings, atol=1e-6)


@EACH
@pytest.mark.parametrize("colour", [(0.0, 0.0, 0.0), (0.2, 0.7, 0.4), (1.0, 1.0, 1.0)])
def test_where_nothing_is_to_be_seen_nothing_is_drawn(
    draw: Draw, colour: tuple[float, float, float]
) -> None:
    flat = torch.tensor(colour).view(1, 3, 1, 1).expand(2, 3, 20, 24)
    assert torch.allclose(draw(flat), torch.ones(2, 3, 20, 24), atol=1e-6)


def runs(line: torch.Tensor) -> int:
    """How many separate dark stretches LINE (W,) has."""
    dark = torch.cat([torch.tensor([False]), line < 0.5])
    return int((dark[1:] & ~dark[:-1]).sum())


def test_a_line_is_drawn_as_one_line_and_an_area_by_its_contour() -> None:
    paper = torch.ones(1, 3, 40, 40)
    line, area = paper.clone(), paper.clone()
    line[..., 19:21] = 0.1
    area[..., 12:28] = 0.4
    assert runs(edges.xdog(line)[0, 0, 20]) == 1
    assert runs(edges.xdog(area)[0, 0, 20]) == 2


def test_a_drawing_of_a_drawing_is_much_the_same() -> None:
    paper = torch.ones(1, 3, 48, 48)
    paper[..., 10:12, 8:40] = 0.0
    paper[..., 10:40, 30:32] = 0.3
    once = edges.xdog(paper)
    assert (edges.xdog(once) - once).abs().mean() < 0.02
    assert (1 - once).mean() > 0.05


@pytest.mark.parametrize("pixels", [1, 2])
def test_thicker_lines_reach_as_far_as_is_said(pixels: int) -> None:
    drawing = torch.rand(2, 3, 9, 10, generator=torch.Generator().manual_seed(4))
    thick = edges.thickened(drawing, pixels)
    for row in range(9):
        for column in range(10):
            window = drawing[
                :,
                :,
                max(0, row - pixels) : row + pixels + 1,
                max(0, column - pixels) : column + pixels + 1,
            ]
            assert torch.equal(thick[:, :, row, column], window.amin(dim=(2, 3)))


def test_halved_pixels_are_drawn_at_their_own_size_first() -> None:
    pixels = (255 * pictures(2, 32, 32, seed=5)).round().to(torch.uint8)
    drawn = edges.xdog(pixels.float() / 255)
    wanted = drawn.view(2, 3, 16, 2, 16, 2).mean(dim=(3, 5))
    found = edges.halved(pixels)
    assert (found.dtype, found.shape) == (torch.uint8, (2, 3, 16, 16))
    assert (found.float() / 255 - wanted).abs().max() < 0.5 / 255 + 1e-6


def scrawl() -> torch.Tensor:
    """Black strokes on white."""
    drawing = torch.ones(1, 3, 32, 32)
    drawing[..., 4:6, 4:28] = 0
    drawing[..., 4:28, 14:16] = 0
    return drawing


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        ((0.75, 0.7, 0.65), (0.2, 0.2, 0.5)),
        ((0.1, 0.2, 0.1), (0.9, 0.9, 0.8)),
    ],
)
def test_cleaned_is_black_on_white_whatever_paper_and_pen(
    paper: tuple[float, ...], ink: tuple[float, ...]
) -> None:
    ground, pen = (torch.tensor(colour).view(1, 3, 1, 1) for colour in (paper, ink))
    drawn = scrawl() * ground + (1 - scrawl()) * pen
    assert torch.allclose(edges.cleaned(drawn), scrawl(), atol=1e-5)


def test_a_blank_sheet_stays_blank() -> None:
    grain = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(6))
    assert torch.allclose(edges.cleaned(0.8 + 0.02 * grain), torch.ones(1, 3, 16, 16))
