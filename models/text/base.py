"""What every tower for text is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import nn

from models.spec import TextSpec


class TextTower(nn.Module, ABC):
    """Codes of texts (B, L) int64 -> features (B, D) float32, unit length.

    The space is that of the features of the image encoder that it belongs to, so that the cosine of
    a text and a picture says how well they go together. Of a binary descriptor the signs are bits.

    Args:
        spec: what it is built from; it is kept in the header of the encoder's file.
    """

    def __init__(self, spec: TextSpec) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def codes(self, texts: Sequence[str]) -> torch.Tensor:
        """The codes of TEXTS, (B, L) int64 on the CPU."""

    @abstractmethod
    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """The features (B, D) of the texts of CODES (B, L)."""

    def knows(self, text: str) -> bool:
        """Whether anything of TEXT says something to it."""
        return bool(text.strip())


class NoText(ValueError):
    """An encoder can make nothing of a text."""


def must_read(tower: TextTower | None, encoder: str, texts: Sequence[str]) -> TextTower:
    """The TOWER of ENCODER, a digest, if there is one and it knows a word of each of TEXTS.

    Raises:
        NoText: it does not; says what would do.
    """
    if tower is None:
        raise NoText(
            f"Encoder {encoder[:12]} has no tower for text: it sees pictures only. Train one with "
            "train: {supervision: weakly_supervised, method: clip}, or take CLIP's with train: "
            "{pretrained: FOLDER, text: pretrained}."
        )
    for text in texts:
        if not tower.knows(text):
            raise NoText(
                f"Encoder {encoder[:12]} knows no word of {text!r}: nobody said it of the pictures "
                "that taught it. Choose other words."
            )
    return tower
