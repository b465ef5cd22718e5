"""What every encoder is, and what one may add to its teacher's loss."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from models.quantiser import Quantiser
    from models.text.base import TextTower

LEARNING: Final = frozenset({"head", "text"})
"""Parts of an encoder that learn although it is frozen (Zhai et al., "LiT", 2022, of the text)."""


@dataclass(frozen=True)
class Views:
    """What an encoder was shown in one step, what it made of it, and what its teacher knows of it.

    Args:
        images: (V, 3, H, W) float32 in [0, 1].
        pooled: (V, F), what the head was given.
        features: (V, D), unit length.
        alike: (V, V) bool, which views show the same as far as the teacher knows, each view itself
            among them; None where it does not know.
        generator: whatever is random about this step comes from it; on the device of the images.
    """

    images: torch.Tensor
    pooled: torch.Tensor
    features: torch.Tensor
    alike: torch.Tensor | None
    generator: torch.Generator


class Encoder(nn.Module, ABC):
    """Images (B, 3, H, W) float32 in [0, 1] -> features (B, D) float32, unit length.

    For a binary descriptor the features are the real values whose signs become the bits, so D is
    the number of bits. An encoder normalises colours itself and works at any H, W that it is
    trained for. It is built from ``dimensions`` and keyword arguments that JSON can hold, so that
    an `EncoderSpec` can build it again.
    """

    dimensions: int
    """D."""

    head: nn.Module
    """From `pooled` (B, F) to what is normalised to features; the only part that depends on D."""

    binary: bool = False
    """Whether the signs of its features are what will be stored."""

    frozen: bool = False
    """Whether only the parts that are `LEARNING` learn."""

    share: float = 1.0
    """By what its teacher's loss is multiplied, before its own term comes to it."""

    text: "TextTower | None"
    """What makes features of texts, in the same space; None where nothing does."""

    quantiser: "Quantiser | None"
    """The codebooks by which rows of an index are stored; None where they hold numbers or bits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_module("text", None)
        self.register_module("quantiser", None)

    @abstractmethod
    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """What the network makes of IMAGES before its head, (B, F)."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The features (B, D) of IMAGES."""
        return self.finished(self.pooled(images))

    def finished(self, pooled: torch.Tensor) -> torch.Tensor:
        """The features (B, D) of POOLED (B, F)."""
        return functional.normalize(self.head(pooled).float())

    def see(
        self, images: torch.Tensor, alike: torch.Tensor | None, generator: torch.Generator
    ) -> Views:
        """IMAGES (V, 3, H, W) and what it makes of them; ALIKE (V, V) is what the teacher knows.

        Raises:
            ValueError: it learns, and there is one image, whose batch has no variance.
        """
        self.must_differ(images)
        pooled = self.pooled(images)
        return Views(images, pooled, self.finished(pooled), alike, generator)

    def must_differ(self, images: torch.Tensor) -> None:
        """Return if something can be learned of how IMAGES (V, 3, H, W) differ, or nothing is.

        Raises:
            ValueError: it learns, and there is one image, whose batch has no variance.
        """
        if self.training and len(images) == 1:
            raise ValueError(
                "There is a single picture to learn from in a step, and what whitens the features "
                "learns from how pictures differ: two at least that can be decoded are needed, "
                "and two a step of each worker. Set epochs: 0 to index it all the same."
            )

    def term(self, seed: int) -> "Term | None":
        """What this network adds to whatever teaches it; None where it adds nothing.

        Called once before a training, for an encoder of known weights.

        Args:
            seed: what the term's own parameters are drawn from.
        """
        return None

    def freeze(self) -> None:
        """Let only the head learn from now on, and the tower for text, where there is one."""
        self.frozen = True
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name.startswith(tuple(f"{part}." for part in LEARNING)))
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch to training or back; what is frozen keeps its batch statistics too."""
        super().train(mode)
        for name, part in self.named_children():
            if self.frozen and name not in LEARNING:
                part.eval()
        return self


class Term(nn.Module, ABC):
    """(encoder, views) -> a scalar that a network adds to its teacher's loss.

    Decoders, generators and critics live here: what serves to teach alone is no part of the
    encoder, and not of its file. A player that plays against the encoder is trained by the same
    step: its part of the sum sees the encoder's weights detached, and the encoder's part its.
    """

    @abstractmethod
    def forward(self, encoder: Encoder, views: Views) -> torch.Tensor:
        """The term of ENCODER on VIEWS, a scalar."""


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Within it torch's own lots come from SEED; the random state outside is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


class Head(nn.Module):
    """Pooled activations (B, F) -> (B, D): projected, and each of the D numbers whitened.

    The batch normalisation without scale or shift gives every feature mean 0 and variance 1, so
    each bit of a binary descriptor splits the pictures in halves.
    """

    def __init__(self, inputs: int, dimensions: int) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, dimensions, bias=False)
        self.whiten = nn.BatchNorm1d(dimensions, affine=False)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """What POOLED (B, F) is projected to, (B, D)."""
        return self.whiten(self.project(pooled))

    @torch.no_grad()
    def fix(self, mean: torch.Tensor, projection: torch.Tensor) -> None:
        """Make this head compute ``(pooled - MEAN) @ PROJECTION.T``; MEAN (F,), PROJECTION (D, F).

        That is how what was found in closed form, a whitening or a rotation, becomes a part of an
        encoder like any other.
        """
        weights = projection.to(self.project.weight)
        self.project.weight.copy_(weights)
        counted = dict(self.whiten.named_buffers())
        counted["running_mean"].copy_(weights @ mean.to(weights))
        counted["running_var"].fill_(1 - self.whiten.eps)
