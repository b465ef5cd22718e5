"""Drawings of photographs: dark lines on a white ground, where a person might have drawn them.

Every function takes images (B, 3, H, W) float32 in [0, 1] and returns images of the same kind, grey
ones, on the device of theirs; each image is drawn on its own. Outside its border an image goes on
as it ends.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch.nn import functional

GREY: Final = (0.299, 0.587, 0.114)
"""What red, green and blue are worth of an image's lightness."""

SOBEL: Final = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))

STEPS: Final = ((0, 1), (1, 1), (1, 0), (1, -1))
"""To the next pixel (rows, columns) along each of the four directions of a gradient, turned by 45
degrees each: to the right, down to the right, down, down to the left."""

FAINT: Final = 0.05
"""Contrast of a whole image below which it shows nothing to be drawn."""


def light(images: torch.Tensor) -> torch.Tensor:
    """The lightness (B, 1, H, W) of IMAGES (B, 3, H, W)."""
    weights = _constant((GREY,), torch.float32, images.device).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


def blurred(planes: torch.Tensor, sigma: float) -> torch.Tensor:
    """PLANES (B, 1, H, W) blurred by a Gaussian of SIGMA pixels, cut off at three of them."""
    reach = max(1, round(3 * sigma))
    steps = torch.arange(-reach, reach + 1, device=planes.device, dtype=planes.dtype)
    weights = torch.exp(-(steps**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    for shape, pad in (
        ((1, 1, 1, -1), (reach, reach, 0, 0)),
        ((1, 1, -1, 1), (0, 0, reach, reach)),
    ):
        planes = functional.conv2d(
            functional.pad(planes, pad, mode="replicate"), weights.view(shape)
        )
    return planes


def slopes(planes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much PLANES (B, 1, H, W) rise to the right, and downwards, a step of 1 by 1."""
    across = _constant(SOBEL, planes.dtype, planes.device) / -4
    kernels = torch.stack([across, across.T])[:, None]  # (2, 1, 3, 3)
    found = functional.conv2d(functional.pad(planes, (1, 1, 1, 1), mode="replicate"), kernels)
    return found[:, :1], found[:, 1:]


def sobel(images: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
    """The steeper IMAGES are, the darker: a step from black to white is black at a GAIN of 1."""
    right, down = slopes(light(images))
    return _inked((right**2 + down**2).sqrt() * gain)


def canny(
    images: torch.Tensor, sigma: float = 1.0, low: float = 0.05, high: float = 0.12
) -> torch.Tensor:
    """Black lines of one pixel along the ridges of steepness, and nothing else (Canny 1986).

    Args:
        images: what is drawn.
        sigma: of the blur before, pixels.
        low: steepness from which a ridge goes on that has begun.
        high: steepness from which a ridge begins.
    """
    right, down = slopes(blurred(light(images), sigma))
    steep = (right**2 + down**2).sqrt()
    angle = torch.atan2(down, right)
    way = torch.round(angle / (torch.pi / 4)).long() % 4  # (B, 1, H, W), one of STEPS
    padded = functional.pad(steep, (1, 1, 1, 1))
    ridge = torch.zeros_like(steep, dtype=torch.bool)
    height, width = steep.shape[2:]
    for number, (rows, columns) in enumerate(STEPS):
        ahead = padded[:, :, 1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]
        behind = padded[:, :, 1 - rows : 1 - rows + height, 1 - columns : 1 - columns + width]
        # of two equal neighbours one is the ridge
        ridge |= (way == number) & (steep > ahead) & (steep >= behind)
    may, sure = ridge & (steep >= low), ridge & (steep >= high)
    while True:  # a line grows by a pixel at both ends a round
        grown = may & (functional.max_pool2d(sure.float(), 3, 1, 1) > 0)
        if torch.equal(grown, sure):
            return _inked(sure.float())
        sure = grown


def xdog(
    images: torch.Tensor,
    sigma: float = 1.0,
    sharpness: float | torch.Tensor = 25.0,
    level: float | torch.Tensor = -0.005,
    tau: float = 1.0,
) -> torch.Tensor:
    """Soft lines on the dark side of every edge, as of a pen (Winnemoeller and others 2012).

    What is a thin dark line already comes out as one, so that a drawing is drawn as itself; the
    edges of an area come out as one line each, not two.

    Args:
        images: what is drawn.
        sigma: of the narrower blur, pixels; a line is about two of them wide.
        sharpness: phi of the paper, by how much lines are darker than what they are drawn of; one
            number, or one an image, (B, 1, 1, 1).
        level: epsilon, the difference of the two blurs below which there is a line; likewise.
        tau: how much of the wider blur is taken off; below 1 dark areas are drawn less.
    """
    grey = light(images)
    difference = blurred(grey, sigma) - tau * blurred(grey, 1.6 * sigma)
    return _inked(-torch.tanh(sharpness * (difference - level).clamp_max(0)))


EDGES: Final[Mapping[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "sobel": sobel,
    "canny": canny,
    "xdog": xdog,
}
"""Ways to draw what is there, by name."""


def thickened(drawings: torch.Tensor, pixels: int = 1) -> torch.Tensor:
    """DRAWINGS with lines that are PIXELS wider on each side."""
    side = 2 * pixels + 1
    return -functional.max_pool2d(-drawings, side, 1, pixels)


def halved(pixels: torch.Tensor) -> torch.Tensor:
    """PIXELS (B, 3, 2S, 2S) uint8 as drawings (B, 3, S, S) uint8; lines are a pixel wide or so."""
    drawings = functional.avg_pool2d(xdog(pixels.float() / 255), 2)
    return (255 * drawings).round().to(torch.uint8)


def cleaned(drawings: torch.Tensor) -> torch.Tensor:
    """DRAWINGS, as people make and photograph them, as dark lines on white.

    Colours are left away; a drawing with light lines on a dark ground is turned over; paper is made
    white and the darkest line black. The ground is what most of the picture is: the median.
    """
    grey = light(drawings)
    flat = grey.flatten(1)  # (B, H W)
    ground = flat.median(dim=1).values
    darkest, lightest = flat.amin(dim=1), flat.amax(dim=1)
    dark = lightest - ground > ground - darkest  # (B,): lines are lighter than their ground
    ink = torch.where(dark[:, None], flat - ground[:, None], ground[:, None] - flat).clamp_min(0)
    most = ink.amax(dim=1, keepdim=True)
    ink = torch.where(most < FAINT, torch.zeros_like(ink), ink / most.clamp_min(FAINT))
    return _inked(ink.view_as(grey))


def _constant(
    rows: Sequence[Sequence[float]], dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """ROWS as a matrix on DEVICE, filled in there: for one copied to a GPU the CPU would wait."""
    filled = [
        torch.full((1,), number, dtype=dtype, device=device) for row in rows for number in row
    ]
    return torch.cat(filled).view(len(rows), -1)


def _inked(ink: torch.Tensor) -> torch.Tensor:
    """INK (B, 1, H, W), 0 for none and 1 for all there can be, on white: (B, 3, H, W)."""
    return (1 - ink.clamp(0, 1)).expand(-1, 3, -1, -1)
