"""What an encoder makes of pictures of a training set, between its steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from models.aggregation.base import Aggregation
from models.moving import moved_to, scaled
from models.networks.base import Encoder
from tasks.training.group import Group
from tasks.training.training_set import TrainingSet

Rows = NDArray[np.int64]


class Everything:
    """All pictures of a training set, as a supervision may look at them (its `Gallery`).

    Several workers look at a part each, and tell each other what they have seen.

    Args:
        pictures: the training set.
        device: where encoders look at them.
        batch: how many at a time.
        group: the workers, of which this is one.
    """

    def __init__(
        self, pictures: TrainingSet, device: torch.device, batch: int, group: Group
    ) -> None:
        self._pictures, self._device, self._batch, self._group = pictures, device, batch, group

    def __len__(self) -> int:
        return len(self._pictures)

    def pooled(self, encoder: Encoder, rows: Rows | None = None) -> torch.Tensor:
        """What ENCODER makes of each picture before its head, (N, F) on the CPU; zeros if bad.

        Args:
            encoder: does not learn meanwhile.
            rows: (N,) ascending, of which pictures; all if None.

        Raises:
            ValueError: none can be decoded.
        """
        rows = np.arange(len(self)) if rows is None else rows
        found, good = self._made(encoder, encoder.pooled, rows)
        if not good.any():
            raise ValueError("No picture could be looked at: none can be decoded.")
        return found

    def features(self, encoder: Encoder, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """The features of ROWS (ascending), (R, D) on the CPU, and which of them are good, (R,)."""
        return self._made(encoder, encoder, rows)

    @torch.no_grad()
    def local(self, encoder: Encoder, part: Aggregation, most: int, seed: int) -> torch.Tensor:
        """At most MOST of what PART of ENCODER samples of the pictures, (n, F) on the CPU.

        As many of each picture, drawn by SEED, and one each of some pictures where there are more
        pictures than that. Every worker looks at all of them.

        Raises:
            ValueError: none can be decoded.
        """
        rows = some(len(self), most, seed)
        each = max(1, most // max(1, len(rows)))
        generator = torch.Generator().manual_seed(seed)
        found: list[torch.Tensor] = []

        def keep(_: torch.nn.Module, maps: tuple[torch.Tensor]) -> None:
            samples = part.samples(maps[0]).float()  # (B, n, F)
            drawn = torch.rand(samples.shape[:2], generator=generator).argsort(dim=1)[:, :each]
            chosen = torch.take_along_dim(samples, drawn[:, :, None].to(samples.device), dim=1)
            found.append(chosen.flatten(0, 1).cpu())

        hook = part.register_forward_pre_hook(keep)
        try:
            with _looking(encoder):
                for pictures in self._pictures.each_once(self._batch, rows):
                    encoder.pooled(images_of(pictures.pixels, self._device))
        finally:
            hook.remove()
        if not found:
            raise ValueError("No picture could be looked at: none can be decoded.")
        return torch.cat(found)

    @torch.no_grad()
    def _made(
        self, encoder: Encoder, make: Callable[[torch.Tensor], torch.Tensor], rows: Rows
    ) -> tuple[torch.Tensor, torch.Tensor]:
        share = self._group.share
        mine = np.array_split(rows, share.world)[share.rank]
        side = self._pictures.side
        with _looking(encoder):
            width = make(torch.zeros(1, 3, side, side, device=self._device)).shape[1]
            found, good = torch.zeros(len(rows), width), torch.zeros(len(rows))
            for pictures in self._pictures.each_once(self._batch, mine):
                places = torch.from_numpy(np.searchsorted(rows, pictures.rows))
                found[places] = make(images_of(pictures.pixels, self._device)).float().cpu()
                good[places] = 1
        return self._group.sum(found, self._device), self._group.sum(good, self._device) > 0

    @property
    def targets(self) -> torch.Tensor | None:
        """Their targets (N, C); None without labels."""
        labels = self._pictures.labels
        return None if labels is None else labels.sparse().to_dense().clamp_(max=1)

    @property
    def words(self) -> torch.Tensor | None:
        """Their words (N, T), sparse; None without."""
        return None if self._pictures.words is None else self._pictures.words.sparse()


def some(count: int, most: int, seed: int) -> Rows:
    """The numbers under COUNT, or MOST of them drawn by SEED, ascending."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


@contextmanager
def _looking(encoder: Encoder) -> Iterator[None]:
    """Meanwhile ENCODER does not learn."""
    learns = encoder.training
    encoder.eval()
    try:
        yield
    finally:
        encoder.train(learns)


def images_of(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """PIXELS (B, 3, S, S) uint8 as images, float32 in [0, 1], on DEVICE."""
    return scaled(moved_to(pixels, device))
