"""Supervisions: what an encoder learns from. One file and one entry of `SUPERVISIONS` each."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from data import taxonomy

if TYPE_CHECKING:
    from models.supervision.base import Supervision


def _supervised() -> "type[Supervision]":
    from models.supervision.supervised import Supervised

    return Supervised


def _self_supervised() -> "type[Supervision]":
    from models.supervision.self_supervised import SelfSupervised

    return SelfSupervised


SUPERVISIONS: Final[Mapping[taxonomy.Supervision, Callable[[], "type[Supervision]"]]] = {
    taxonomy.Supervision.SUPERVISED: _supervised,
    taxonomy.Supervision.SELF_SUPERVISED: _self_supervised,
}
"""By word, what returns the class: a recipe's word is checked here without loading torch."""
