"""Learning from what people said of pictures without meaning to label them: tags and clicks."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Final

import torch
from torch import nn

from models import losses
from models.networks.base import Encoder, drawn_from
from models.supervision.base import Batch, Gallery, Lesson, Supervision, Taught, spread
from models.supervision.constants import Constants
from models.supervision.hearsay import Hearsay
from models.supervision.methods import WORDS
from models.supervision.reading import READINGS

COMMON: Final = 0.25
"""A word of more than this share of all pictures does not say that two of them are alike."""
MEANING: Final = 128
"""Numbers of a tag's vector, where there are as many tags."""
ENTRIES: Final = 1 << 16
"""Words of pictures that are paired with the others of their picture at once."""


class WordByWord(Hearsay):
    """Features (B, D) of unit length and words (B, T) -> a scalar loss."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.temperature = constants.temperature

    def told(self, encoder: Encoder, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The loss of FEATURES of the pictures of BATCH, of which its words were said."""
        return torch.as_tensor(self(features, batch.words, batch.generator))

    @abstractmethod
    def forward(
        self, features: torch.Tensor, words: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The loss of FEATURES of pictures of which WORDS were said; GENERATOR draws."""


class WDHT(WordByWord):
    """Features, projected, point where the tags of their picture do.

    A tag's vector is found from which tags stand together in the training set itself, without any
    text from elsewhere; the rarer a tag, the more it says.
    """

    vectors: torch.Tensor
    """(T, E)."""
    rarities: torch.Tensor
    """(T,)."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        meaning = min(len(lesson.words), MEANING)
        self.register_buffer("vectors", torch.zeros(len(lesson.words), meaning))
        self.register_buffer("rarities", torch.zeros(len(lesson.words)))
        with drawn_from(lesson.seed):
            self.project = nn.Linear(lesson.dimensions, meaning, bias=False)

    def forward(
        self, features: torch.Tensor, words: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The loss of FEATURES of pictures of which WORDS were said."""
        targets = losses.tag_target(words, self.vectors, self.rarities)  # (B, E)
        bits = spread(features)
        return losses.wdht(bits, self.project(bits), targets, weight=self.quantised)

    def look(self, words: torch.Tensor) -> None:
        """Find the vectors of the tags, and how rare each is, from WORDS, sparse (N, T)."""
        together = co_occurrence(words)
        self.vectors.copy_(losses.tag_vectors(together, self.vectors.shape[1]))
        self.rarities.copy_(losses.rarity(together.diagonal(), len(words)))


class Clicks(WordByWord):
    """Pictures find the queries they were clicked for, and queries their pictures.

    Of each picture one query is drawn a step, by how often it was said, and the picture counts by
    how often its queries were said in the mean: so a pair of picture and query weighs
    log(1 + clicks) where a query is said once a bit of it, as Clickture's are, and all words weigh
    alike where each is said once, as tags are. Where a picture was clicked for the query of
    another too, the two are no negatives.
    """

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        generator = torch.Generator().manual_seed(lesson.seed)
        drawn = torch.randn(len(lesson.words), lesson.dimensions, generator=generator)
        self.queries = nn.Parameter(drawn / lesson.dimensions**0.5)  # (T, D)

    def forward(
        self, features: torch.Tensor, words: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The loss of FEATURES of pictures of which WORDS were said; GENERATOR draws a query."""
        silent = words.sum(dim=1) == 0  # (B,): nothing was said of these
        lots = words + silent[:, None]
        drawn = torch.multinomial(lots, 1, generator=generator)[:, 0]  # (B,)
        same = (words[:, drawn] > 0) | silent | silent[:, None]  # (B, B)
        said = words.sum(dim=1) / (words > 0).sum(dim=1).clamp_min(1)  # (B,), bits
        loss = losses.infonce(
            features, self.queries[drawn], self.temperature, torch.expm1(said * math.log(2)), same
        )
        return loss + self.quantised * losses.quantisation(spread(features))


HEARSAY: Final[Mapping[str, type[Hearsay]]] = {"wdht": WDHT, "clicks": Clicks, **READINGS}
"""What each method makes of what was said."""


class WeaklySupervised(Supervision):
    """Pictures of which the same is said lie together, however loosely it was said.

    Which pictures are alike it says by their words: those that share one which is not `COMMON`.
    """

    rare: torch.Tensor
    """(T,) of 1 and 0, which words are not common."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        if len(lesson.words) < 2:
            raise ValueError(
                "weakly_supervised needs 2 words at least that were said of several pictures, but "
                f"there are {len(lesson.words)}. Choose self_supervised, which needs none."
            )
        constants = Constants.of(WORDS, lesson)
        self.changes = lesson.changes
        self.hearsay = HEARSAY[constants.method](lesson, constants)
        self.register_buffer("rare", torch.zeros(len(lesson.words)))

    def begin(self, encoder: Encoder) -> None:
        """Give ENCODER what the method wants of it: a tower for text, where sentences are read."""
        self.hearsay.begin(encoder)

    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        """Listen, once, to all that is said of the pictures of GALLERY."""
        words = gallery.words
        if epoch or words is None:
            return
        tags = words.coalesce().indices()[1]
        images = torch.bincount(tags, minlength=len(self.rare))  # (T,)
        self.rare.copy_(images <= COMMON * len(words))
        self.hearsay.look(words)

    def after_step(self, encoder: Encoder) -> None:
        """Keep what is learned of the loss itself within its bounds."""
        self.hearsay.bound()

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on gently changed pictures of BATCH."""
        if batch.words is None:
            raise ValueError("weakly_supervised needs a batch with words.")
        telling = (batch.words > 0) * self.rare  # (B, T)
        itself = torch.eye(len(telling), dtype=torch.bool, device=telling.device)
        views = encoder.see(
            self.changes.gentle(batch.images, batch.generator),
            (telling @ telling.T > 0) | itself,
            batch.generator,
        )
        return Taught(self.hearsay.told(encoder, views.features, batch), views)


def co_occurrence(words: torch.Tensor) -> torch.Tensor:
    """Of how many pictures both words of each pair were said, (T, T); WORDS is sparse (N, T).

    However often they were said of one; on the diagonal stands of how many pictures a word was.
    """
    pictures, tags = words.coalesce().indices()  # by picture
    count = torch.bincount(pictures, minlength=len(words))
    begins = count.cumsum(0) - count
    kinds = words.shape[1]
    together = torch.zeros(kinds * kinds)
    for entries in torch.split(torch.arange(len(tags)), ENTRIES):
        several = count[pictures[entries]]
        first = entries.repeat_interleave(several)
        passed = (several.cumsum(0) - several).repeat_interleave(several)
        second = begins[pictures[first]] + torch.arange(len(first)) - passed
        pairs = tags[first] * kinds + tags[second]
        together.index_add_(0, pairs, torch.ones(len(pairs)))
    return together.view(kinds, kinds)
