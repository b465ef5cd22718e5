"""The tower for text of a network that somebody else has trained: its tensors, its tokenizer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from models.spec import TextSpec
from models.text.pretrained import text_part, tokenizer_of

BRING: Final = "bring tokenizer.json and tokenizer_config.json of the model into the folder."

TRIED: Final = ("a photo of a Dog", "Two people, on the beach!  ", "naïve café 3x3", "")
"""Texts of which our tokenizer must make the same codes as that of transformers."""


@dataclass(frozen=True)
class ForeignText:
    """A tower for text of another library.

    Args:
        spec: how it is built.
        tensors: its weights, projection and tokenizer, by their names in `PretrainedText`.
        head: the weights of the projection of the tower for pictures; empty where it has none.
        dimensions: of the space in which both towers meet.
    """

    spec: TextSpec
    tensors: Mapping[str, torch.Tensor]
    head: Mapping[str, torch.Tensor]
    dimensions: int


def text_of(network: Any, place: str, transformers: Any, local: bool) -> ForeignText | None:
    """The tower for text of a transformers NETWORK, with the tokenizer at PLACE; None without one.

    Args:
        network: as it was read.
        place: a folder, or the id of a hub.
        transformers: the library.
        local: whether PLACE is a folder.

    Raises:
        FileNotFoundError: there is no tokenizer at PLACE.
        ValueError: it makes other codes when it is read as data alone.
    """
    try:
        tower = text_part(network)
    except LookupError:
        return None
    words = int(network.config.text_config.vocab_size)
    tokenizer = _tokenizer(place, transformers, local, words)
    longest = int(network.config.text_config.max_position_embeddings)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    said = str(tokenizer.backend_tokenizer.to_str()).encode()
    _must_agree(tokenizer, said, longest, place)
    image = getattr(network, "visual_projection", None)
    text = getattr(network, "text_projection", None)
    spec = TextSpec(
        kind="pretrained",
        longest=longest,
        padding=int(tokenizer.pad_token_id),
        tokenizer=len(said),
        projected=image is not None,
    )
    tensors = {f"tower.{name}": value for name, value in tower.state_dict().items()}
    if text is not None:
        tensors |= {f"head.{name}": value for name, value in text.state_dict().items()}
    tensors["tokenizer"] = torch.from_numpy(np.frombuffer(said, np.uint8).copy())
    width = int(network.config.text_config.hidden_size)
    return ForeignText(
        spec,
        tensors,
        {} if image is None else image.state_dict(),
        width if text is None else int(text.out_features),
    )


def _tokenizer(place: str, transformers: Any, local: bool, words: int) -> Any:
    """The tokenizer at PLACE, of some WORDS, of which the library `tokenizers` can make one."""
    try:
        found = transformers.AutoTokenizer.from_pretrained(
            place, local_files_only=local, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise FileNotFoundError(
            f"{place} has no tokenizer that can be read ({str(error).splitlines()[0]}): {BRING}"
        ) from error
    if len(found) < words // 2:  # where its files are missing the library makes an empty one
        raise FileNotFoundError(
            f"The tokenizer of {place} knows {len(found)} codes, and its tower {words}: {BRING}"
        )
    if not getattr(found, "is_fast", False):
        raise ValueError(
            f"The tokenizer of {place} is code of its own, {type(found).__name__}, and none that "
            "can be kept as data: choose a model with a tokenizer.json."
        )
    return found


def _must_agree(tokenizer: Any, said: bytes, longest: int, place: str) -> None:
    """Return if what is SAID of TOKENIZER, that of PLACE, makes the same codes as it does."""
    ours = tokenizer_of(said, longest, int(tokenizer.pad_token_id)).encode_batch(list(TRIED))
    theirs = tokenizer(list(TRIED), padding="max_length", max_length=longest, truncation=True)
    if [one.ids for one in ours] != [list(ids) for ids in theirs["input_ids"]]:
        raise ValueError(
            f"The tokenizer of {place} does more by its code than its tokenizer.json says: it "
            "cannot be kept as data. Choose a model whose tokenizer.json is all of it."
        )
