"""The encoders in a store: weights with a card beside them, named by the digest of their bytes."""

import json
import re
from typing import TYPE_CHECKING, Any, Final

from data.store import Store
from models.header import START, length_of, spec_of
from models.learned_codes import LearnedCodes
from models.spec import EncoderSpec, Precision

if TYPE_CHECKING:
    from models.weights import Embedder


TRAININGS: Final = "encoders/training"
"""Where in a store the states of trainings lie that have not ended, a folder each."""


def keep_encoder(store: Store, content: bytes, card: dict[str, Any], codes: bytes = b"") -> str:
    """Put an encoder's file and its card into the store, with its learned CODES; its digest.

    Who finds the weights finds the rest, so they come last.
    """
    from models import weights

    digest = weights.digest_of(content)
    if codes:
        store.write(codes_name(digest), codes)
    store.write(_card_name(digest), _json({"encoder": digest} | card))
    store.write(weights_name(digest), content)
    return digest


def kept_encoders(store: Store, start: str = "") -> list[str]:
    """The digests of the encoders in STORE that begin with START, sorted."""
    found = store.names("encoders")
    return [name for name in found if re.fullmatch("[0-9a-f]{64}", name) and name.startswith(start)]


def load_encoder(
    store: Store, digest: str, device: str = "cpu", precision: Precision = "float32"
) -> "Embedder":
    """The encoder DIGEST with its card, ready for work.

    Raises:
        FileNotFoundError: it is not in the store.
        ValueError: its bytes are not those that its digest names, or its card is another's.
    """
    try:
        content, card = store.read(weights_name(digest)), card_of(store, digest)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"The encoder {digest} is not in the store {store.root}: train it again, or bring back "
            "its folder encoders/DIGEST."
        ) from error
    from models import weights

    return weights.load(content, device, precision, card=card, digest=digest)


def spec_at(store: Store, digest: str) -> EncoderSpec:
    """What the encoder DIGEST is, by the header of its weights; nothing else of it is read.

    Raises:
        FileNotFoundError: it is not in the store.
        ValueError: its header does not describe an encoder.
    """
    return spec_of(header_at(store, digest))


def header_at(store: Store, digest: str) -> bytes:
    """The weights of the encoder DIGEST from their beginning to the end of their header.

    Raises:
        FileNotFoundError: they are not in the store.
        ValueError: they have no header.
    """
    name = weights_name(digest)
    start = store.read_range(name, 0, START)
    try:
        length = length_of(start, store.fs.size(store.uri(name)))
    except ValueError as error:
        raise ValueError(f"The weights of encoder {digest[:12]} are damaged: {error}.") from error
    return start + store.read_range(name, START, length)


def learned_codes(store: Store, digest: str, spec: EncoderSpec) -> LearnedCodes | None:
    """The codes that the encoder DIGEST, which SPEC describes, has learned; None where it has none.

    Raises:
        FileNotFoundError: it has some, and they are not in the store.
        ValueError: they are not those that its header names.
    """
    if not spec.codes:
        return None
    name = codes_name(digest)
    try:
        return LearnedCodes.read(store.read(name), spec.codes, spec.stored().width)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Encoder {digest[:12]} has learned codes of single pictures, and {name} is not in the "
            f"store {store.root}: train it again (nightjar train RECIPE --again), or bring back "
            "its folder encoders/DIGEST. Without them its rows would be others."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{name} is not what encoder {digest[:12]} names: {error} Train it again (nightjar "
            "train RECIPE --again), or bring back its folder encoders/DIGEST."
        ) from error


def the_encoder(store: Store, start: str) -> str:
    """The digest of the one encoder in STORE that begins with START.

    Raises:
        FileNotFoundError: there is none; names what there is.
        ValueError: there are several.
    """
    found = kept_encoders(store, start)
    if not found:
        there = ", ".join(digest[:12] for digest in kept_encoders(store)[:10])
        raise FileNotFoundError(
            f"No encoder {start[:12]} is in the store {store.root}: choose from "
            f"{there or 'nothing yet'}."
        )
    if len(found) > 1:
        raise ValueError(f"{start} begins {len(found)} encoders: write more of it.")
    return found[0]


def card_of(store: Store, digest: str) -> dict[str, Any]:
    """The card of the encoder DIGEST in STORE; one from before cards named theirs will do.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or another's.
    """
    try:
        card = json.loads(store.read(_card_name(digest)))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The card of encoder {digest[:12]} is damaged: {error}") from error
    if not isinstance(card, dict) or card.get("encoder", digest) != digest:
        raise ValueError(f"The card beside encoder {digest[:12]} is not its own: bring its back.")
    return card


def _card_name(digest: str) -> str:
    return f"encoders/{digest}/card.json"


def codes_name(digest: str) -> str:
    """Where in a store the learned codes of the encoder DIGEST lie, where it has any."""
    return f"encoders/{digest}/codes.arrow"


def weights_name(digest: str) -> str:
    """Where in a store the weights of the encoder DIGEST lie."""
    return f"encoders/{digest}/encoder.safetensors"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()
