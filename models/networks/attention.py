"""A small vision transformer behind a convolutional stem, which learns from scratch."""

import math

import torch
from torch import nn
from torch.nn import functional

from models.aggregation.attention import AttentionPooling
from models.aggregation.base import Aggregation, precise
from models.networks.base import Encoder, Head, Views
from models.networks.convolutional import convolution, stem_of
from models.pooling import Pooling, build_pooling
from models.spec import STEMS


class ClassToken(Aggregation):
    """Maps (B, F, h, w) -> (B, F): what a learned query is answered by all places.

    A token of its own that attends to the places after the last block, and not before (class
    attention: Touvron et al., "Going deeper with Image Transformers", 2021, equations 2 to 4).

    Args:
        inputs: F.
        heads: of the attention; they share the F numbers.
    """

    def __init__(self, inputs: int, heads: int) -> None:
        super().__init__()
        self.dimensions, self.heads = inputs, heads
        self.query = nn.Parameter(torch.randn(heads, inputs // heads))
        self.key = nn.Conv2d(inputs, inputs, 1)
        self.value = nn.Conv2d(inputs, inputs, 1)

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The answers (B, F) of MAPS."""
        values = self.value(maps).unflatten(1, (self.heads, -1))  # (B, heads, F / heads, h, w)
        return torch.einsum("bndhw,bnhw->bnd", values, self._chances(maps)).flatten(1)

    def weights(self, maps: torch.Tensor) -> torch.Tensor:
        """How much each place of MAPS counts, (B, h, w), in sum 1: the mean of the heads."""
        return self._chances(precise(maps)).mean(dim=1)

    def _chances(self, maps: torch.Tensor) -> torch.Tensor:
        """The attention of each head, (B, heads, h, w), in sum 1."""
        keys = self.key(maps).unflatten(1, (self.heads, -1))
        logits = torch.einsum("nd,bndhw->bnhw", self.query, keys) / keys.shape[2] ** 0.5
        return logits.flatten(2).softmax(dim=2).view_as(logits)


class Block(nn.Module):
    """All places look at each other, then each at itself; either way is added to what was there.

    Normalised before (Dosovitskiy et al. 2021, equations 2 and 3). In training a picture skips
    either with a probability of DROP, where there are lots to draw (stochastic depth: Huang et al.,
    "Deep Networks with Stochastic Depth", 2016).
    """

    def __init__(self, inputs: int, heads: int, ratio: float, drop: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, drop
        self.before_attention = nn.LayerNorm(inputs)
        self.ask = nn.Linear(inputs, 3 * inputs)
        self.answer = nn.Linear(inputs, inputs)
        self.before_thought = nn.LayerNorm(inputs)
        hidden = round(ratio * inputs)
        self.thought = nn.Sequential(
            nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, inputs)
        )

    def forward(self, tokens: torch.Tensor, lots: torch.Generator | None) -> torch.Tensor:
        """TOKENS (B, N, F) after the block, (B, N, F)."""
        tokens = tokens + self._kept(self._attention(self.before_attention(tokens)), lots)
        return tokens + self._kept(self.thought(self.before_thought(tokens)), lots)

    def _attention(self, tokens: torch.Tensor) -> torch.Tensor:
        asked = self.ask(tokens).unflatten(2, (3, self.heads, -1))  # (B, N, 3, heads, F / heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)  # each (B, heads, N, F / heads)
        heard = functional.scaled_dot_product_attention(query, key, value)
        return self.answer(heard.transpose(1, 2).flatten(2))

    def _kept(self, change: torch.Tensor, lots: torch.Generator | None) -> torch.Tensor:
        """CHANGE (B, N, F), of some pictures nothing, of the others the more."""
        if not self.training or lots is None or not self.drop:
            return change
        drawn = torch.rand((len(change), 1, 1), generator=lots, device=change.device)
        return change * (drawn >= self.drop) / (1 - self.drop)


class AttentionEncoder(Encoder):
    """A stem of three convolutions, three stages of transformer blocks, pooled and projected.

    The stem (W, 2W, 4W channels) brings a picture to 7 x 7 to 14 x 14 places, each of which is a
    token of 4W numbers: what takes the place of patches (Xiao et al., "Early Convolutions Help
    Transformers See Better", 2021), without which so small a network does not learn from a few
    thousand pictures. Where a place lies is computed (sines and cosines), so any size will do. So
    width and depth make it about as costly as a convolutional network of the same.

    Args:
        dimensions: D.
        width: W; tokens have 4W numbers.
        depth: blocks a stage, of three.
        stem: stride of the stem's first convolution: 1, 2, 4 or 8; a token is 4 times that wide.
        pooling: what makes one vector of the places, in the words of `models.aggregation`;
            "attention" learns what a place weighs; or "cls", the answer to a token of its own.
        heads: of the attention; they share the 4W numbers.
        mlp_ratio: hidden numbers of a block's perceptron, by 4W.
        drop_path: probability that the last block is skipped; those before less, in proportion.

    Raises:
        ValueError: there is no such stem, or the heads cannot share the numbers evenly.
    """

    def __init__(
        self,
        dimensions: int,
        width: int = 32,
        depth: int = 1,
        stem: int = 1,
        pooling: Pooling = "gem",
        heads: int = 4,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        inputs, blocks = 4 * width, 3 * depth
        if stem not in STEMS:
            raise ValueError(f"A stem strides 1, 2, 4 or 8 pixels, not {stem}.")
        if inputs % heads:
            raise ValueError(
                f"{heads} heads cannot share {inputs} numbers, 4 times the width: choose a number "
                f"that divides {inputs}."
            )
        self.dimensions = dimensions
        self.stem = nn.Sequential(
            *(stem_of(width, stem), nn.ReLU()),
            *(convolution(width, 2 * width, 3, 2), nn.ReLU()),
            *(convolution(2 * width, inputs, 3, 2), nn.ReLU()),
            nn.Conv2d(inputs, inputs, 1),
        )
        self.blocks = nn.ModuleList(
            Block(inputs, heads, mlp_ratio, drop_path * (place + 1) / blocks)
            for place in range(blocks)
        )
        self.norm = nn.LayerNorm(inputs)
        self.pool = ClassToken(inputs, heads) if pooling == "cls" else _pooling(pooling, inputs)
        self.head = Head(self.pool.dimensions, dimensions)

    def maps(self, images: torch.Tensor, lots: torch.Generator | None = None) -> torch.Tensor:
        """The maps (B, 4W, h, w) of IMAGES (B, 3, H, W); in training LOTS say what is skipped."""
        maps = self.stem((images - 0.5) / 0.25)
        count, channels, height, width = maps.shape
        tokens = maps.flatten(2).transpose(1, 2) + _places(height, width, channels, maps)
        for block in self.blocks:
            tokens = block(tokens, lots)
        return self.norm(tokens).transpose(1, 2).reshape(count, channels, height, width)

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """The pooled maps of IMAGES, (B, 4W) for most ways of pooling; nothing is skipped."""
        return self.pool(self.maps(images))

    def see(
        self, images: torch.Tensor, alike: torch.Tensor | None, generator: torch.Generator
    ) -> Views:
        """IMAGES and what it makes of them; GENERATOR says which blocks a picture skips."""
        self.must_differ(images)
        pooled = self.pool(self.maps(images, generator))
        return Views(images, pooled, self.finished(pooled), alike, generator)

    def attention_map(self, images: torch.Tensor) -> torch.Tensor:
        """How much each place of IMAGES counts in what is pooled, (B, h, w), in sum 1.

        The weights of the pooling where it has some, else how long a place's positive numbers are
        (as HOW weighs places: Tolias, Jenicek and Chum, "Learning and Aggregating Deep Local
        Descriptors for Instance-Level Recognition", 2020).
        """
        maps = self.maps(images)
        if isinstance(self.pool, AttentionPooling | ClassToken):
            return self.pool.weights(maps)
        lengths = maps.float().clamp_min(0).norm(dim=1)
        return lengths / lengths.sum(dim=(1, 2), keepdim=True).clamp_min(1e-12)


def _pooling(wanted: Pooling, inputs: int) -> Aggregation:
    """The pooling WANTED; of attention the learned kind: normalised tokens are of one length."""
    return build_pooling(
        {"attention": {"score": "softplus"}} if wanted == "attention" else wanted, inputs
    )


def _places(height: int, width: int, channels: int, like: torch.Tensor) -> torch.Tensor:
    """Where the tokens of a map lie, (HEIGHT * WIDTH, CHANNELS), on the device of LIKE.

    A quarter of the channels each: sine and cosine of the row, sine and cosine of the column, at
    wavelengths from 2 pi to 10,000 times that (Vaswani et al. 2017, section 3.5, in both ways).
    """
    quarter = channels // 4
    steps = torch.arange(quarter, device=like.device) * (-math.log(10_000) / quarter)
    rows, columns = (
        torch.arange(n, device=like.device)[:, None] * steps.exp() for n in (height, width)
    )
    row = torch.cat([rows.sin(), rows.cos()], dim=1)  # (h, channels / 2)
    column = torch.cat([columns.sin(), columns.cos()], dim=1)
    both = row[:, None].expand(-1, width, -1), column.expand(height, -1, -1)
    return torch.cat(both, dim=2).flatten(0, 1).to(like.dtype)
