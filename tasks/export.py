"""Export an encoder to a file that runs without Nightjar, and show that it computes the same.

A file that does not is not left behind.
"""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from data.store import Store
from models import canary
from models.portable import FORMATS, Portable, Run, Word, said_of
from models.weights import Embedder
from tasks.training.train import load_encoder

TOLERANCE: Final = 1e-4
"""The greatest difference of a feature that rounding explains; features are at most 1."""

NOISE: Final = 16
"""Random pictures that an export is checked on, besides the canary set."""

MOVED: Final = 0.01
"""Share of the pictures' visual words that may differ: a local feature on the border of two words
goes to either."""

BATCHES: Final = (1, 5)
"""Pictures a time that it is checked with, where it takes any number."""


class ExportDiffers(RuntimeError):
    """An exported file does not compute what its encoder computes."""


@dataclass(frozen=True)
class Agreement:
    """How far an exported file agrees with its encoder.

    Args:
        pictures: on which both were run, at each batch.
        difference: the greatest absolute difference of two features, of those that differ by
            rounding alone.
        tolerance: what it may be.
        differing_bits: all of features that are nearly 0; None where no bits are stored.
        differing_words: visual words that other local features went to; None where none are stored.
    """

    pictures: int
    difference: float
    tolerance: float
    differing_bits: int | None = None
    differing_words: int | None = None


def export(store: Store, digest: str, to: Word, path: Path, batch: int | None = None) -> Agreement:
    """Write the encoder DIGEST to PATH in the format TO, and compare the two.

    Args:
        store: holds the encoder.
        digest: of the encoder.
        to: "onnx", "torchscript" or "torch-export".
        path: the file, replaced if it is there, and then only by one that agrees.
        batch: pictures a time; None: any number.

    Raises:
        FileNotFoundError: there is no such encoder.
        CanaryMismatch: it does not see here what it should, so nothing can be compared with it.
        MissingExtra: the format needs the extra ``export``.
        ExportDiffers: the file does not agree with the encoder; it is removed.
    """
    embedder = load_encoder(store, digest)
    embedder.prove()
    kind, said = FORMATS[to], json.dumps(said_of(embedder, batch))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}{kind.suffix}")
    try:
        kind.write(Portable(embedder), part, said, batch)
        run, kept = kind.read(part)
        if kept != said:
            raise ExportDiffers(f"The {to} file does not keep what is said of the encoder.")
        found = agreement(embedder, run, (batch,) if batch else BATCHES)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return found


def agreement(embedder: Embedder, run: Run, batches: tuple[int, ...]) -> Agreement:
    """How far RUN agrees with EMBEDDER, on the canary set and noise, so many pictures a time.

    Raises:
        ExportDiffers: not as far as rounding explains; says by how much.
    """
    size = embedder.spec.transform.size
    noise = torch.randint(
        256, (NOISE, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    pictures = torch.cat([canary.images(embedder), noise])
    wanted = embedder.features(pictures)
    rows = embedder.describe(wanted)
    difference, differing = 0.0, 0
    for batch in batches:
        features, descriptor = _outputs(run, pictures, batch)
        expected = wanted
        if embedder.metric == "asmk":
            same = _same_words(features, wanted, embedder.spec.words)
            differing += int((~same).sum())
            # a row follows from the features, whichever words these are
            _off(descriptor.numpy(), embedder.describe(features), "visual words", 0)
            features, expected = (_blocks(some, same) for some in (features, wanted))
        elif embedder.metric == "hamming":
            differing += _bits_off(descriptor.numpy(), rows, wanted.numpy())
        else:
            ulp = float(np.finfo(rows.dtype).eps)
            _off(descriptor.numpy(), rows, "descriptors", TOLERANCE + ulp)
        off = _off(features.numpy(), expected.numpy(), "features", TOLERANCE)
        difference = max(difference, off)
    return Agreement(
        len(pictures),
        difference,
        TOLERANCE,
        differing if embedder.metric == "hamming" else None,
        differing if embedder.metric == "asmk" else None,
    )


def _blocks(features: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """FEATURES (B, K D) of K visual words, those of the CHOSEN (B, K) words, (M, D)."""
    return features.reshape(*chosen.shape, -1)[chosen]


def _same_words(seen: torch.Tensor, wanted: torch.Tensor, words: int) -> torch.Tensor:
    """Which of the WORDS of each picture the same local features went to, (B, K) bool.

    Raises:
        ExportDiffers: too many did not.
    """
    if seen.shape != wanted.shape:
        raise ExportDiffers(
            f"The exported file makes features {tuple(seen.shape)}, the encoder "
            f"{tuple(wanted.shape)}."
        )
    every = torch.ones(len(seen), words, dtype=torch.bool)
    one, other = (_blocks(some, every).reshape(len(seen), words, -1) for some in (seen, wanted))
    same = (one - other).abs().amax(dim=2) <= TOLERANCE
    there = int((other != 0).any(dim=2).sum())
    if (~same).sum() > max(1, MOVED * there):
        raise ExportDiffers(
            f"{int((~same).sum())} of {there} visual words of the exported file differ from the "
            f"encoder's, and {MOVED:.0%} is what rounding explains: it was not kept."
        )
    return same


def _outputs(run: Run, pictures: torch.Tensor, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What RUN makes of PICTURES, BATCH at a time; the last of them is filled up with the first."""
    whole = torch.arange(-(-len(pictures) // batch) * batch) % len(pictures)
    made = [run(pictures[some]) for some in torch.split(whole, batch)]
    features, rows = (torch.cat(part)[: len(pictures)] for part in zip(*made, strict=True))
    return features, rows


def _off(seen: Any, wanted: Any, what: str, tolerance: float) -> float:
    """The greatest difference between two arrays."""
    if seen.shape != wanted.shape or seen.dtype != wanted.dtype:
        raise ExportDiffers(
            f"The exported file makes {what} {seen.shape} {seen.dtype}, the encoder "
            f"{wanted.shape} {wanted.dtype}."
        )
    off = np.abs(seen.astype(np.float64) - wanted)
    worst = float(np.nan_to_num(off, nan=np.inf).max())
    if worst > tolerance:
        raise ExportDiffers(
            f"The exported file's {what} differ from the encoder's by up to {worst:.1e}, and "
            f"{tolerance:.1e} is what rounding explains: it was not kept."
        )
    return worst


def _bits_off(seen: Any, wanted: Any, features: Any) -> int:
    """How many bits of two arrays of rows differ, where FEATURES are so near 0 that they may."""
    if seen.shape != wanted.shape or seen.dtype != wanted.dtype:
        raise ExportDiffers(
            f"The exported file makes rows {seen.shape} {seen.dtype}, the encoder "
            f"{wanted.shape} {wanted.dtype}."
        )
    differ = np.unpackbits(seen, axis=1) != np.unpackbits(wanted, axis=1)
    wrong = int((differ & (np.abs(features) > TOLERANCE)).sum())
    if wrong:
        raise ExportDiffers(
            f"{wrong} of {differ.size} bits of the exported file differ from the encoder's though "
            "their features are not near 0: it was not kept."
        )
    return int(differ.sum())
