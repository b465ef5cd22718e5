"""Tables, shards and caches meddled with: what verify finds, and what the next night mends."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import lance

from data.aliases import Alias
from data.indexes import index_table
from data.manifest import manifest, shard_name
from tests.flows.album import Album, photo, sha


def _reseal(album: Album, change: Callable[[lance.LanceDataset], None]) -> None:
    """Meddle with the index table by Lance itself, behind the back of the lineage."""
    index = index_table(album.store, album.production.table).open()
    said = index.metadata
    change(index)
    newest = index_table(album.store, album.production.table).open()
    told = said["nightjar.lineage"].replace(
        f'"version":{album.production.version}', f'"version":{newest.version + 1}'
    )
    newest.update_metadata({"nightjar.lineage": told})
    pointer = album.production.model_copy(update={"version": newest.version})
    Alias(album.store, "toy").move(pointer, after=album.production)


def test_verify_finds_a_row_that_was_taken_out(album: Album) -> None:
    _reseal(album, lambda index: index.delete("key = 'class0/000.jpg'"))
    found = album.verified(embed=0)
    assert (found.ok, found.missing) == (False, ("class0/000.jpg",))


def test_verify_finds_a_row_that_was_put_in(album: Album) -> None:
    def put_in(index: lance.LanceDataset) -> None:
        row = index.to_table(filter="key = 'class0/000.jpg'")
        index.insert(row.set_column(0, row.schema.field(0), [["nobody.jpg"]]))

    _reseal(album, put_in)
    found = album.verified(embed=0)
    assert (found.ok, found.extra) == (False, ("nobody.jpg",))


def test_verify_finds_a_digest_that_is_not_the_manifest_s(album: Album) -> None:
    _reseal(
        album, lambda index: index.update({"digest": f"'{sha(b'x')}'"}, "key = 'class0/000.jpg'")
    )
    found = album.verified(embed=0)
    assert (found.ok, found.stale) == (False, ("class0/000.jpg",))


def test_verify_finds_a_vector_that_is_another_picture_s(album: Album) -> None:
    def swap(index: lance.LanceDataset) -> None:
        rows = index.to_table()
        keys = rows["key"].to_pylist()
        taken = rows.take([keys.index("class0/000.jpg")])
        other = rows.take([keys.index("class1/001.jpg")])["vector"]
        place = taken.schema.get_field_index("vector")
        lie = taken.set_column(place, taken.schema.field(place), other)
        index.merge_insert("key").when_matched_update_all().execute(lie)

    _reseal(album, swap)
    found = album.verified(embed=40)
    assert (found.ok, found.drifted, found.embedded) == (False, ("class0/000.jpg",), 40)


def test_verify_finds_a_flipped_byte_and_the_next_night_does_not_spread_it(album: Album) -> None:
    rows = manifest(album.store, "toy").open().to_table().to_pylist()
    row = next(row for row in rows if row["key"] == "class0/000.jpg")
    name = shard_name("toy", row["shard"])
    content = bytearray(album.store.read(name))
    content[row["offset"] + row["length"] // 2] ^= 4
    album.store.write(name, bytes(content))
    found = album.verified(embed=0)
    assert (found.ok, found.corrupt) == (False, ("class0/000.jpg",))


def test_versions_cleaned_away_by_lance_itself_leave_the_sealed_ones(album: Album) -> None:
    places = [str(album.production)]
    for night in range(3):
        album.put("class0/new.jpg", photo(900 + night))
        album.night()
        places.append(str(album.production))
    for table in (index_table(album.store, album.production.table), manifest(album.store, "toy")):
        table.open().cleanup_old_versions(
            older_than=timedelta(0), error_if_tagged_old_versions=False
        )
    for place in places:
        assert len(album.rows(place)) >= 40
    assert album.verified().ok


def test_a_lost_cache_is_made_again(album: Album) -> None:
    shutil.rmtree(Path(album.store.root) / "descriptors")
    album.put("class0/new.jpg", photo(900))
    ledger = album.night()
    assert ledger.ledger.ok
    album.agrees()
    assert album.verified().ok
