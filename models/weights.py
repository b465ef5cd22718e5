"""Encoders as files: weights with their description in one safetensors, and back to one that works.

The digest of an encoder is that of the file, so it covers the network, the transform before it and
the descriptor after it. How it was trained, and what it must see in the canary set, is told by a
card beside it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from threading import Lock
from typing import Any, cast

import numpy as np
import pyarrow as pa
import safetensors.torch
import torch

from data.taxonomy import DescriptorType, choose
from models import canary
from models.allowance import allowance
from models.canary import CanaryMismatch
from models.descriptors.base import Metric
from models.folding import fold
from models.header import HEADER_KEY, spec_of
from models.moving import moved_to, scaled
from models.networks import NETWORKS
from models.networks.base import Encoder, drawn_from
from models.networks.heads import put_head
from models.networks.pretrained import PretrainedEncoder
from models.pixels import Transform
from models.quantiser import Quantiser
from models.scales import sides_of
from models.spec import EncoderSpec, Precision
from models.tensors import of_safetensors
from models.text.base import must_read
from models.text.towers import tower_for


class Embedder:
    """An encoder with its transform and descriptor: the bytes of pictures in, stored rows out.

    Args:
        encoder: the network, trained; it is made ready for work and cannot be trained after.
        spec: what it was built from.
        digest: SHA-256 of its file (64 hex digits).
        card: how it was trained; under "canary" what it must see in the canary set.
        device: a torch device, e.g. "cpu", "cuda".
        precision: of the arithmetic; the features are float32 in any case.

    Raises:
        ValueError: which visual word is nearest is not for so little PRECISION.
    """

    def __init__(
        self,
        encoder: Encoder,
        spec: EncoderSpec,
        digest: str,
        card: Mapping[str, Any],
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        self.digest, self.spec, self.card = digest, spec, dict(card)
        self.device, self.precision = torch.device(device), precision
        self.encoder = encoder.eval().to(self.device)
        fold(self.encoder)
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.descriptor = spec.stored()
        if self.metric == "asmk" and precision != "float32":
            raise ValueError(
                f"Encoder {digest[:12]} tells visual words apart: that is done at float32, not at "
                f"{precision}."
            )
        # a GPU takes one batch at a time; threads that decode for it wait with theirs
        self._turn = nullcontext() if self.device.type == "cpu" else Lock()

    @property
    def value_type(self) -> pa.DataType:
        """The type of one stored value."""
        return self.descriptor.value_type

    @property
    def width(self) -> int:
        """Stored values a row."""
        return self.descriptor.width

    @property
    def metric(self) -> Metric:
        """How two stored rows are compared."""
        return self.descriptor.metric

    def pixels(self, content: bytes) -> torch.Tensor:
        """The picture in CONTENT as (3, S, S) uint8; safe to call from many threads.

        Raises:
            BadImage: CONTENT cannot be used.
        """
        return self.spec.transform(content)

    @torch.inference_mode()
    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """The features (B, D), float32 on the CPU, of PIXELS (B, 3, S, S) uint8.

        Safe to call from many threads.
        """
        there = moved_to(pixels, self.device)
        half = self.precision != "float32"
        autocast = torch.autocast(self.device.type, getattr(torch, self.precision), enabled=half)
        with self._turn, autocast:
            features = self.encoder(scaled(there))
        return cast(torch.Tensor, features.float().cpu())

    def at_scales(self, contents: Sequence[bytes], scales: Sequence[float]) -> torch.Tensor:
        """The features (B, D) of the pictures in CONTENTS, each the mean of those at SCALES.

        A scale is a share of the side that the encoder sees; the mean is of unit length again.

        Raises:
            BadImage: one of CONTENTS cannot be used.
            ValueError: a scale gives no size of pictures, or one that the encoder does not take.
        """
        total = torch.zeros(len(contents), self.encoder.dimensions)
        for side in sides_of(scales, self.spec.transform.size):
            transform = Transform.model_validate({**dict(self.spec.transform), "size": side})
            total += self._sized(torch.stack([transform(content) for content in contents]))
        return torch.nn.functional.normalize(total)

    def check_scales(self, scales: Sequence[float]) -> None:
        """Return if `at_scales` works at SCALES; raises what it does of them."""
        for side in sides_of(scales, self.spec.transform.size):
            self._sized(torch.zeros(1, 3, side, side, dtype=torch.uint8))

    def _sized(self, pixels: torch.Tensor) -> torch.Tensor:
        """The features of PIXELS (B, 3, S, S), of a side S that the encoder may not take."""
        try:
            return self.features(pixels)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ValueError(
                f"Encoder {self.digest[:12]} does not take pictures of {pixels.shape[2]} x "
                f"{pixels.shape[2]} pixels ({error}): leave the scales out."
            ) from error

    @property
    def reads(self) -> bool:
        """Whether it makes features of texts too."""
        return self.encoder.text is not None

    @torch.inference_mode()
    def read(self, texts: Sequence[str], *, lenient: bool = False) -> torch.Tensor:
        """The features (B, D), float32 on the CPU, of TEXTS, in the space of those of pictures.

        Safe to call from many threads.

        Args:
            texts: sentences or words.
            lenient: whether those pass of which no word is known; all of them are the same to it.

        Raises:
            NoText: the encoder has no tower for text, or knows no word of one of TEXTS.
        """
        tower = must_read(self.encoder.text, self.digest, () if lenient else texts)
        with self._turn:
            features = tower(tower.codes(texts).to(self.device))
        return cast(torch.Tensor, features.float().cpu())

    def describe(self, features: torch.Tensor) -> np.ndarray[Any, Any]:
        """FEATURES (B, D) as they are stored, (B, width).

        Raises:
            FloatingPointError: a feature is not a finite number.
        """
        if not torch.isfinite(features).all():
            raise FloatingPointError(
                f"Encoder {self.digest[:12]} made features that are not finite numbers at "
                f"{self.precision}: its training diverged, or the precision is too low."
            )
        return self.descriptor(features)

    def prove(self) -> None:
        """Return if this encoder sees in the canary set what its card says.

        Raises:
            CanaryMismatch: it does not, or its card says nothing.
        """
        kept = self.card.get("canary")
        if kept is None:
            raise CanaryMismatch(f"The card of encoder {self.digest[:12]} has no canary reference.")
        canary.compare(canary.features(self), kept, self.precision)


def build(spec: EncoderSpec, seed: int = 0) -> Encoder:
    """The network that SPEC describes, with weights drawn from SEED.

    Raises:
        ValueError: the network is unknown or refuses its arguments.
        ModuleNotFoundError: its backbone needs an extra that is not installed.
    """
    with drawn_from(seed):
        if spec.head == "learned":
            encoder = _network(spec, spec.dimensions)
        else:
            encoder = _network(spec, 1)  # whose head makes room for the one that is meant
            put_head(encoder, spec.head, spec.dimensions)
        if spec.text is not None:
            encoder.text = tower_for(spec)
        if spec.pq_parts:
            encoder.quantiser = Quantiser(spec.dimensions, spec.pq_parts)
    encoder.binary = spec.descriptor is DescriptorType.BINARY
    return encoder


def _network(spec: EncoderSpec, dimensions: int) -> Encoder:
    """The network of SPEC with a head of DIMENSIONS that learns."""
    if spec.backbone is not None:
        projected = spec.text is not None and spec.text.projected
        return PretrainedEncoder(dimensions, spec.backbone, projected)
    network = choose(NETWORKS, spec.network, "network").load()
    try:
        return network(dimensions, **spec.arguments)
    except (TypeError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"{spec.network} does not take {spec.arguments}: {error}") from error


def save(encoder: Encoder, spec: EncoderSpec) -> bytes:
    """ENCODER as a safetensors file whose header holds SPEC; equal weights give equal bytes."""
    tensors = {name: value.cpu().contiguous() for name, value in encoder.state_dict().items()}
    # one key of metadata: safetensors writes several in an order that changes from run to run
    return safetensors.torch.save(tensors, {HEADER_KEY: spec.model_dump_json()})


def digest_of(content: bytes) -> str:
    """The digest that names the encoder in CONTENT."""
    return hashlib.sha256(content).hexdigest()


def restored(content: bytes) -> tuple[Encoder, EncoderSpec]:
    """The network in CONTENT, a file that `save` wrote, and its description; it can learn on.

    Raises:
        ValueError: CONTENT is not an encoder, or its tensors do not fit.
    """
    spec, name = spec_of(content), digest_of(content)[:12]
    tensors = of_safetensors(content, f"The encoder {name}")
    with allowance(tensors):
        encoder = build(spec)
    try:
        encoder.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"The tensors of encoder {name} do not fit: {error}") from error
    encoder.dimensions = spec.dimensions
    return encoder, spec


def load(
    content: bytes,
    device: str = "cpu",
    precision: Precision = "float32",
    *,
    card: Mapping[str, Any] | None = None,
    digest: str = "",
) -> Embedder:
    """The encoder in CONTENT, ready for work.

    Args:
        content: a file that `save` wrote.
        device: a torch device.
        precision: of the arithmetic on it.
        card: the card beside the file; without one the embedder cannot `prove` itself.
        digest: what CONTENT is supposed to be; checked where it is not empty.

    Raises:
        ValueError: CONTENT has another digest, is not an encoder, or its tensors do not fit.
    """
    actual = digest_of(content)
    if digest and actual != digest:
        raise ValueError(f"The encoder {digest} has bytes whose digest is {actual}: it is corrupt.")
    encoder, spec = restored(content)
    return Embedder(encoder, spec, actual, card or {}, device, precision)
