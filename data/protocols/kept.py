"""Sets that were drawn, kept in the store as a list that anybody can read and nobody can change."""

import hashlib
import io
from typing import Final

from data.protocols.draw import Sets, read_sets, write_sets
from data.store import Store

FOLDER: Final = "protocols"
LETTERS: Final = 12


def kept_name(dataset: str, protocol: str, digest: str) -> str:
    """Where in the store the sets of DIGEST lie, which PROTOCOL drew from DATASET."""
    return f"{FOLDER}/{dataset}/{protocol}-{digest[:LETTERS]}.csv"


def written(sets: Sets) -> bytes:
    """SETS as `write_sets` writes them, in UTF-8; what their digest is taken of."""
    out = io.StringIO(newline="")
    write_sets(sets, out)
    return out.getvalue().encode()


def digest_of_sets(sets: Sets) -> str:
    """The SHA-256 of SETS as they are written (64 hex digits)."""
    return hashlib.sha256(written(sets)).hexdigest()


def keep(store: Store, dataset: str, protocol: str, sets: Sets) -> str:
    """The name in STORE under which SETS, which PROTOCOL drew from DATASET, are kept from now on.

    The same sets have the same name and the same bytes, so keeping them again writes nothing.
    """
    content = written(sets)
    name = kept_name(dataset, protocol, hashlib.sha256(content).hexdigest())
    store.create(name, content)
    return name


def kept(store: Store, name: str, digest: str) -> Sets:
    """The sets that are kept in STORE under NAME.

    Args:
        store: where they were kept.
        name: as `keep` answered.
        digest: SHA-256 of the list, as the lineage says it.

    Raises:
        FileNotFoundError: they are not there.
        ValueError: they are not those of DIGEST.
    """
    content = store.read(name)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ValueError(f"{name} is not what was drawn: its digest is {found[:12]}.")
    return read_sets(io.StringIO(content.decode(), newline=""))
