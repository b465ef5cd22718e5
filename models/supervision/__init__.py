"""Supervisions: what an encoder learns from. One file and one line of `SUPERVISIONS` each."""

from collections.abc import Mapping
from typing import Final

from data import taxonomy
from models.supervision.base import Batch, Lesson, Supervision
from models.supervision.self_supervised import SelfSupervised
from models.supervision.supervised import Supervised

__all__ = ["SUPERVISIONS", "Batch", "Lesson", "Supervision"]

SUPERVISIONS: Final[Mapping[taxonomy.Supervision, type[Supervision]]] = {
    taxonomy.Supervision.SUPERVISED: Supervised,
    taxonomy.Supervision.SELF_SUPERVISED: SelfSupervised,
}
