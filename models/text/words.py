"""A tower for text that learns in minutes: the mean of the vectors of a text's words."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from models.networks.base import Head
from models.spec import TextSpec
from models.text.base import TextTower
from models.text.vocabulary import PADDING, Vocabulary


class WordTower(TextTower):
    """The mean of the vectors of a text's words, and a layer of what the words say together.

    The order of words says nothing to it, and words outside its vocabulary share one vector: of
    some thousand captions that is what can be learned (as of Joulin et al., "Bag of Tricks for
    Efficient Text Classification", 2017). The head is that of the image encoders.

    Args:
        dimensions: D.
        spec: its vocabulary, and how many numbers a word's vector has.
    """

    def __init__(self, dimensions: int, spec: TextSpec) -> None:
        super().__init__(spec)
        self.vocabulary = Vocabulary(spec.vocabulary)
        self.embed = nn.Embedding(len(self.vocabulary), spec.width, padding_idx=PADDING)
        self.mix = nn.Sequential(
            nn.LayerNorm(spec.width), nn.Linear(spec.width, spec.width), nn.GELU()
        )
        self.head = Head(spec.width, dimensions)

    def codes(self, texts: Sequence[str]) -> torch.Tensor:
        """The codes of TEXTS, (B, L) int64."""
        return self.vocabulary.codes(texts)

    def knows(self, text: str) -> bool:
        """Whether a word of TEXT is in its vocabulary."""
        return self.vocabulary.knows(text)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """The features (B, D) of the texts of CODES (B, L)."""
        there = (codes != PADDING).unsqueeze(2)  # (B, L, 1)
        vectors = self.embed(codes) * there
        mean = vectors.sum(dim=1) / there.sum(dim=1).clamp_min(1)  # (B, width)
        return functional.normalize(self.head(mean + self.mix(mean)).float())
