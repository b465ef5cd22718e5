"""Learning from sentences: a tower for text learns beside the encoder, in the same space."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Final

import torch
from torch import nn

from models import losses
from models.networks.base import Encoder, drawn_from
from models.spec import TextSpec
from models.supervision.base import Batch, Lesson, spread
from models.supervision.constants import Constants
from models.supervision.hearsay import Hearsay
from models.text.words import WordTower


class Reading(Hearsay):
    """A picture and the sentence that was drawn for it go together, and no other pair of the batch.

    Pictures for which the same sentence was drawn are no negatives of each other.
    """

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self._seed, self._vocabulary = lesson.seed, lesson.vocabulary

    def begin(self, encoder: Encoder) -> None:
        """Give ENCODER a tower for text, where it has none yet."""
        if encoder.text is None:
            device = next(encoder.parameters()).device
            with drawn_from(self._seed):
                tower = WordTower(encoder.dimensions, TextSpec(vocabulary=self._vocabulary))
            encoder.text = tower.to(device)

    def told(self, encoder: Encoder, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The loss of FEATURES of the pictures of BATCH, and of what its sentences say."""
        codes = batch.sentences
        if codes is None or encoder.text is None:
            raise ValueError("Sentences are read in a batch with sentences, by a tower for text.")
        said = encoder.text(codes)  # (B, D)
        same = (codes[:, None] == codes).all(dim=2)  # (B, B)
        loss = self(features, said, same)
        bits = losses.quantisation(spread(features)) + losses.quantisation(spread(said))
        return torch.as_tensor(loss + self.quantised * bits)

    @abstractmethod
    def forward(
        self, features: torch.Tensor, said: torch.Tensor, same: torch.Tensor
    ) -> torch.Tensor:
        """How badly FEATURES (B, D) and what was SAID (B, D) go together, row by row, a scalar.

        SAME (B, B) is true where row i also goes with the sentence of row j.
        """


class Clip(Reading):
    """`losses.clip`: each finds its own among all of the batch, at a temperature that learns."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(constants.temperature)))
        self.bound()

    def forward(
        self, features: torch.Tensor, said: torch.Tensor, same: torch.Tensor
    ) -> torch.Tensor:
        """The mean of both cross-entropies."""
        return losses.clip(features, said, self.log_scale, same)

    @torch.no_grad()
    def bound(self) -> None:
        """Keep the scale of cosines within 100: above it there is no gradient to come back by."""
        self.log_scale.clamp_(max=losses.HOTTEST)


class VSEpp(Reading):
    """`losses.vsepp`: the hardest wrong one is to be farther than the right one, by a margin."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self._margin = constants.margin

    def forward(
        self, features: torch.Tensor, said: torch.Tensor, same: torch.Tensor
    ) -> torch.Tensor:
        """The mean of both hinges."""
        return losses.vsepp(features, said, self._margin, same)


READINGS: Final[Mapping[str, type[Hearsay]]] = {"clip": Clip, "vsepp": VSEpp}
"""What each method makes of sentences."""
