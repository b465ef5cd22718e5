"""Drawn sets in the store: the same bytes for the same sets, and nothing else taken for them."""

import hashlib

import pytest

from data.protocols import Sets
from data.protocols.kept import digest_of_sets, keep, kept, kept_name, written
from data.store import Store

SETS = Sets(queries=("a", 'b "1", ä'), database=("c",), train=())


def test_sets_are_kept_once_under_the_digest_of_their_bytes(store: Store) -> None:
    name = keep(store, "places", "own", SETS)
    digest = digest_of_sets(SETS)
    assert name == kept_name("places", "own", digest) == f"protocols/places/own-{digest[:12]}.csv"
    content = store.read(name)
    assert hashlib.sha256(content).hexdigest() == digest
    assert (
        content
        == written(SETS)
        == (b'"set","key"\n"queries","a"\n"queries","b ""1"", \xc3\xa4"\n"database","c"\n')
    )
    assert keep(store, "places", "own", SETS) == name
    assert store.names("protocols/places") == [name.rpartition("/")[2]]
    assert kept(store, name, digest) == SETS


def test_other_sets_are_another_list(store: Store) -> None:
    more = Sets(queries=("a",), database=("c",), train=("d",))
    assert keep(store, "places", "own", SETS) != keep(store, "places", "own", more)


def test_a_list_that_was_changed_or_lost_is_not_taken_for_what_was_drawn(store: Store) -> None:
    name, digest = keep(store, "places", "own", SETS), digest_of_sets(SETS)
    store.write(name, written(SETS) + b'"train","x"\n')
    with pytest.raises(ValueError, match="is not what was drawn"):
        kept(store, name, digest)
    store.delete(name)
    with pytest.raises(FileNotFoundError):
        kept(store, name, digest)
