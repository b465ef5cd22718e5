"""Codes of the pictures that are learned themselves, as free variables, beside the network."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models import losses
from models.losses import CodeSums
from models.networks.base import Encoder
from models.supervision.base import Batch, Gallery, Lesson, spread
from models.supervision.constants import Constants
from models.supervision.criteria import Criterion

SAMPLED: Final = 2_000
"""Pictures by whose outputs the codes are found anew before an epoch, as in the paper."""
WEIGHT: Final = 200.0
"""Gamma of so many pictures or more; of fewer it is as much less, or their codes would be nothing
but what the network says of each."""
AT_ONCE: Final = 4_096
"""Groups that are compared with all others at a time."""


class ADSH(Criterion):
    """The network says of a picture what brings its inner products with all codes near to K s.

    Before each epoch the network stays as it is and the codes are found anew, by one round of
    discrete coordinate descent; during the epoch they stay and the network learns (Jiang and Li,
    "Asymmetric Deep Supervised Hashing", 2018, algorithm 1). s is 1 of pictures that share a label
    and -r of others, where r makes the mean over all pairs 0, as the authors' code has it: in K
    bits no more than two classes can be opposites of each other. How sure a bit may be is learned.

    Pictures of the same set of labels are alike to the same others and make a group, so nothing
    here grows with the square of the pictures.
    """

    codes: torch.Tensor
    """(N, K) int8 of -1 and +1, V; at the end 0 of pictures that cannot be decoded."""
    labels: torch.Tensor
    """(N, C / 8) uint8, the labels of each picture as bits."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.seed, self.classes = lesson.seed, len(lesson.classes)
        self.weight = WEIGHT * min(1.0, lesson.pictures / SAMPLED)
        lots = torch.Generator().manual_seed(lesson.seed)
        drawn = torch.randint(0, 2, (lesson.pictures, lesson.dimensions), generator=lots)
        self.register_buffer("codes", (2 * drawn - 1).to(torch.int8))
        marks = torch.zeros(lesson.pictures, -(-self.classes // 8), dtype=torch.uint8)
        self.register_buffer("labels", marks)
        self.gain = nn.Parameter(torch.ones(()))
        self._groups: _Groups | None = None
        self._database: CodeSums | None = None
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            lambda *_: self._forget()
        )

    def forward(
        self, features: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The loss of FEATURES (B, K) of pictures with TARGETS (B, C), which stand in ROWS (B,)."""
        groups = self.groups
        if self._database is None:
            self._database = CodeSums.of(self.codes.float(), groups.of_row, len(groups.targets))
        similar = groups.similar(targets)
        own = None if rows is None else self.codes[rows].float()
        return losses.adsh(self._outputs(features), self._database, similar, own, self.weight)

    def on(self, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The loss of FEATURES (B, K) of the pictures of BATCH, which have codes of their own."""
        if batch.targets is None:
            raise ValueError("adsh needs a batch with targets.")
        return self(features, batch.targets, batch.rows)

    @property
    def groups(self) -> "_Groups":
        """Which pictures have the same set of labels."""
        if self._groups is None:
            self._groups = _Groups(self.labels, self.classes)
        return self._groups

    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        """Find the codes anew by what ENCODER makes of some pictures of GALLERY, drawn by lot."""
        self._remember(gallery)
        count = len(self.codes)
        lots = np.random.default_rng((self.seed, epoch))
        self._descend(encoder, gallery, np.sort(lots.permutation(count)[:SAMPLED]))

    def finish(self, encoder: Encoder, gallery: Gallery) -> None:
        """Find the codes anew, for the last time, by what ENCODER makes of all of GALLERY."""
        self._remember(gallery)
        good = self._descend(encoder, gallery, np.arange(len(self.codes)))
        self.codes[~good.to(self.codes.device)] = 0
        self._database = None

    @torch.no_grad()
    def _descend(self, encoder: Encoder, gallery: Gallery, rows: NDArray[np.int64]) -> torch.Tensor:
        """One round of coordinate descent by the pictures in ROWS; which of them are good."""
        seen, good = gallery.features(encoder, rows)
        device = self.codes.device
        bits = torch.tanh(self._outputs(seen[good].to(device)))  # (M, K)
        sampled = torch.from_numpy(rows)[good].to(device)
        groups = self.groups
        pull = groups.pull(bits, sampled)[groups.of_row]  # (N, K)
        found = losses.adsh_codes(self.codes.float(), bits, pull, sampled, self.weight)
        self.codes.copy_(found)
        self._database = None
        return good

    def _outputs(self, features: torch.Tensor) -> torch.Tensor:
        """What comes before tanh, of FEATURES (B, K)."""
        return spread(features) * self.gain

    def _remember(self, gallery: Gallery) -> None:
        """Note the labels of GALLERY, which is the same all the time."""
        if gallery.targets is None:
            raise ValueError("adsh learns from labels, and there are none.")
        packed = np.packbits(gallery.targets.numpy() > 0, axis=1)
        self.labels.copy_(torch.from_numpy(packed))
        self._forget()

    def _forget(self) -> None:
        """Let go of what follows from the codes and the labels, which are others now."""
        self._groups = self._database = None


class _Groups:
    """Pictures by their set of labels: there are G sets, in C classes.

    Args:
        labels: (N, C / 8) uint8, the labels of each picture as bits.
        classes: C.
    """

    def __init__(self, labels: torch.Tensor, classes: int) -> None:
        sets, of_row = np.unique(labels.cpu().numpy(), axis=0, return_inverse=True)
        bits = np.unpackbits(sets, axis=1, count=classes)
        self.targets = torch.from_numpy(bits).float().to(labels.device)  # (G, C)
        self.of_row = torch.from_numpy(of_row.reshape(-1)).to(labels.device)  # (N,)
        counts = torch.bincount(self.of_row, minlength=len(sets)).double()
        pairs = sum(
            (counts[some] @ self._shared(self.targets[some]).double() @ counts)
            for some in self._blocks()
        )
        others = counts.sum() ** 2 - pairs
        self.unlike = -float(pairs / others.clamp_min(1))
        """s of pictures that share no label."""

    def similar(self, targets: torch.Tensor) -> torch.Tensor:
        """How alike pictures with TARGETS (B, C) and those of each group are, (B, G)."""
        return torch.where(self._shared(targets.float()), 1.0, self.unlike)

    def pull(self, bits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The sum of BITS (M, K) of the pictures in ROWS by how alike each group is, (G, K)."""
        summed = bits.new_zeros(len(self.targets), bits.shape[1])
        summed.index_add_(0, self.of_row[rows], bits)
        parts = [self.similar(self.targets[some]) @ summed for some in self._blocks()]
        return torch.cat(parts)

    def _shared(self, targets: torch.Tensor) -> torch.Tensor:
        """Whether TARGETS (B, C) share a label with each group, (B, G) bool."""
        return targets @ self.targets.T > 0

    def _blocks(self) -> list[slice]:
        count = len(self.targets)
        return [slice(first, first + AT_ONCE) for first in range(0, count, AT_ONCE)]
