"""The tower for text that an encoder's description asks for."""

from models.spec import EncoderSpec
from models.text.base import TextTower
from models.text.pretrained import PretrainedText
from models.text.words import WordTower


def tower_for(spec: EncoderSpec) -> TextTower:
    """The tower of SPEC, with weights that are drawn.

    Raises:
        MissingExtra: its library is not installed.
        ValueError: SPEC describes none, or one of no backbone.
    """
    if spec.text is None:
        raise ValueError("The encoder's description names no tower for text.")
    if spec.text.kind == "words":
        return WordTower(spec.dimensions, spec.text)
    if spec.backbone is None:
        raise ValueError("A pretrained tower for text comes with a backbone, and none is named.")
    return PretrainedText(spec.dimensions, spec.text, spec.backbone)
