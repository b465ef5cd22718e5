"""Random changes of a batch that do not change what its pictures show; on whatever device it lies.

Every function takes images (B, 3, H, W) float32 in [0, 1] and a generator of their device, and
returns images of the same kind; each image of a batch is changed differently. Views are the same
whatever the precision in which they are learned from.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from models import edges
from models.losses.terms import in_float32


@dataclass(frozen=True)
class Changes:
    """How the views of a training differ from its pictures.

    Args:
        flip: whether a mirrored picture shows the same.
        change: how much gently changed views are changed, from 0 to 1.
        sketches: the share of views that are drawn as sketches, so that a drawing and a photograph
            of the same come to lie together (Yu and others, "Sketch Me That Shoe", 2016, whose
            photographs are edge maps).
    """

    flip: bool = True
    change: float = 1.0
    sketches: float = 0.0

    def gentle(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """IMAGES as `gentle` changes them, a share of them drawn."""
        return self._drawn(gentle(images, generator, self.flip, self.change), generator)

    def strong(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """IMAGES as `strong` changes them, a share of them drawn."""
        return self._drawn(strong(images, generator, self.flip), generator)

    def _drawn(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return sketched(images, generator, self.sketches) if self.sketches else images


@in_float32
def gentle(
    images: torch.Tensor, generator: torch.Generator, flip: bool = True, change: float = 1.0
) -> torch.Tensor:
    """Views that a person would hardly call changed: for learning from labels.

    At a CHANGE of 1 they show half of a picture at least, and colours differ by a quarter; at 0
    only the mirror is left. A short training learns more from little change, a long one forgets
    less by much.
    """
    windows = crop(images, generator, smallest=1 - 0.5 * change, flip=flip, stretch=change)
    return colour(windows, generator, strength=0.25 * change)


@in_float32
def strong(images: torch.Tensor, generator: torch.Generator, flip: bool = True) -> torch.Tensor:
    """Views that share little but their content: for learning without labels (SimCLR's)."""
    changed = colour(crop(images, generator, smallest=0.2, flip=flip), generator, strength=0.5)
    return grey(changed, generator, probability=0.2)


def crop(
    images: torch.Tensor,
    generator: torch.Generator,
    smallest: float,
    flip: bool,
    stretch: float = 1.0,
) -> torch.Tensor:
    """A random window of each image, stretched back to H x W, in half of the cases mirrored.

    The window covers SMALLEST to 1 of the area; its sides are 3:4 to 4:3 at a STRETCH of 1, those
    of the image at 0.
    """
    count = len(images)
    area = _uniform(count, generator, images, smallest, 1.0)
    ratio = torch.exp(
        _uniform(count, generator, images, math.log(3 / 4) * stretch, math.log(4 / 3) * stretch)
    )
    wide, high = (area * ratio).sqrt().clamp_max(1), (area / ratio).sqrt().clamp_max(1)
    right = _uniform(count, generator, images, -1.0, 1.0) * (1 - wide)
    down = _uniform(count, generator, images, -1.0, 1.0) * (1 - high)
    mirrored = _uniform(count, generator, images, 0.0, 1.0) < (0.5 if flip else 0.0)
    none = torch.zeros_like(area)
    rows = (torch.where(mirrored, -wide, wide), none, right, none, high, down)
    grid = functional.affine_grid(
        torch.stack(rows, dim=1).view(count, 2, 3), list(images.shape), align_corners=False
    )
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def colour(images: torch.Tensor, generator: torch.Generator, strength: float) -> torch.Tensor:
    """Images in another light: brightness, contrast, saturation by up to STRENGTH, hue a little."""
    count = len(images)
    low, high = 1 - strength, 1 + strength
    bright, contrast, saturation = (
        _uniform(count, generator, images, low, high).view(-1, 1, 1, 1) for _ in range(3)
    )
    angle = _uniform(count, generator, images, -strength / 2, strength / 2)  # radians
    images = images * bright
    images = (images - images.mean(dim=(1, 2, 3), keepdim=True)) * contrast + images.mean(
        dim=(1, 2, 3), keepdim=True
    )
    light = edges.light(images)
    images = light + (images - light) * saturation
    return _turned(images, angle).clamp(0, 1)


def grey(images: torch.Tensor, generator: torch.Generator, probability: float) -> torch.Tensor:
    """Images of which a share of PROBABILITY has lost its colours."""
    lost = _uniform(len(images), generator, images, 0.0, 1.0) < probability
    return torch.where(lost.view(-1, 1, 1, 1), edges.light(images).expand_as(images), images)


@in_float32
def sketched(images: torch.Tensor, generator: torch.Generator, probability: float) -> torch.Tensor:
    """Images of which a share of PROBABILITY is drawn: dark lines on white, whatever the colours.

    Each is drawn by another hand: by one of `edges.EDGES`, a pen's lines soft or hard and faint
    edges drawn or left out; every third drawing has lines that are two pixels wider.
    """
    count = len(images)
    drawn, broad, tool, level, sharpness = (
        _uniform(count, generator, images, low, high).view(-1, 1, 1, 1)
        for low, high in ((0.0, 1.0), (0.0, 3.0), (0.0, 3.0), (0.004, 0.02), (15.0, 50.0))
    )
    drawings = edges.xdog(images, sharpness=sharpness, level=-level)
    drawings = torch.where(tool < 2, edges.sobel(images, gain=3.0), drawings)
    drawings = torch.where(tool < 1, edges.canny(images), drawings)
    drawings = torch.where(broad < 1, edges.thickened(drawings), drawings)
    return torch.where(drawn < probability, drawings, images)


def _uniform(
    count: int, generator: torch.Generator, like: torch.Tensor, low: float, high: float
) -> torch.Tensor:
    """COUNT numbers between LOW and HIGH, on the device of LIKE."""
    return torch.rand(count, generator=generator, device=like.device) * (high - low) + low


def _turned(images: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """IMAGES with their hues turned by ANGLE (B,) about the grey axis (Rodrigues' formula)."""
    cosine, sine = torch.cos(angle), torch.sin(angle) / math.sqrt(3)
    same = (1 - cosine) / 3
    first, second, third = cosine + same, same - sine, same + sine
    rows = (first, second, third, third, first, second, second, third, first)
    turn = torch.stack(rows, dim=1).view(-1, 3, 3)
    return torch.einsum("bij,bjhw->bihw", turn, images)
