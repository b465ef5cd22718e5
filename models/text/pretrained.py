"""A tower for text that somebody else has trained, with its tokenizer among the weights."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from models.extras import library, offline
from models.networks.pretrained import pooled_of, whole_network
from models.spec import Backbone, TextSpec
from models.text.base import TextTower


class PretrainedText(TextTower):
    """The tower for text of a transformers network that has two, and its projection.

    The tokenizer is what the library `tokenizers` writes of one, JSON: it is read as data, and no
    code comes with it. It lies among the weights as bytes, so the encoder's digest covers it.

    Args:
        dimensions: D.
        spec: how texts become codes.
        backbone: the whole network, of which this is a part; its weights are read afterwards.

    Raises:
        MissingExtra: its library is not installed.
        ValueError: the network has no such tower, or cannot be built here.
    """

    tokenizer: torch.Tensor
    """Its JSON as (N,) uint8."""

    def __init__(self, dimensions: int, spec: TextSpec, backbone: Backbone) -> None:
        super().__init__(spec)
        wanted = f"The tower for text of {backbone.source}/{backbone.name}"
        if backbone.source != "transformers":
            raise ValueError(f"{wanted} cannot be built here: only those of transformers can.")
        transformers = library("transformers", wanted)
        try:
            with offline():
                network = whole_network(backbone, transformers)
            self.tower, self.head = text_part(network), text_head(network, dimensions)
        except (OSError, RuntimeError, TypeError, ArithmeticError, LookupError) as error:
            raise ValueError(f"{wanted} cannot be built here: {error}") from error
        self.register_buffer("tokenizer", torch.zeros(spec.tokenizer, dtype=torch.uint8))

    @cached_property
    def _tokenizer(self) -> Any:
        """The tokenizer, made of its bytes when the first text comes."""
        said = bytes(self.tokenizer.cpu().numpy())
        return tokenizer_of(said, self.spec.longest, self.spec.padding)

    def codes(self, texts: Sequence[str]) -> torch.Tensor:
        """The codes of TEXTS, (B, L) int64; L is what the tower was trained with."""
        found = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        return torch.tensor(found, dtype=torch.int64).view(len(texts), self.spec.longest)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """The features (B, D) of the texts of CODES (B, L)."""
        pooled = pooled_of(self.tower(input_ids=codes))
        return functional.normalize(self.head(pooled).float())


def tokenizer_of(said: bytes, longest: int, padding: int) -> Any:
    """The tokenizer that JSON SAID describes: texts become LONGEST codes, the rest of them PADDING.

    Raises:
        MissingExtra: the library `tokenizers` is not installed.
        ValueError: SAID describes none.
    """
    kind = library("tokenizers", "A pretrained tower for text").Tokenizer
    try:
        made = kind.from_str(said.decode())
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"The tokenizer of the encoder is damaged: {error}") from error
    made.enable_truncation(longest)
    made.enable_padding(length=longest, pad_id=padding)
    return made


def text_part(network: Any) -> nn.Module:
    """The tower for text of a transformers NETWORK.

    Raises:
        LookupError: it has none.
    """
    part: nn.Module | None = getattr(network, "text_model", None)
    if part is None:
        raise LookupError("it has no tower for text")
    return part


def text_head(network: Any, dimensions: int) -> nn.Module:
    """The projection that a transformers NETWORK has for what its tower makes of text.

    Raises:
        LookupError: it leads to other DIMENSIONS.
    """
    head: nn.Module = getattr(network, "text_projection", None) or nn.Identity()
    width = getattr(head, "out_features", network.config.text_config.hidden_size)
    if width != dimensions:
        raise LookupError(f"it makes {width} features of a text, not {dimensions}")
    return head
