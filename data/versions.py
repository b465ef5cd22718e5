"""Versions of a table that nobody needs any more: which they are, and letting go of them."""

from collections.abc import Collection
from datetime import UTC, datetime

import lance

from data.tables import Table


def made(version: lance.LanceDataset) -> dict[int, datetime]:
    """When each version of a table was made (UTC), by its number."""
    return {int(v["version"]): v["timestamp"].astimezone(UTC) for v in version.versions()}


def staying(table: Table, stay: set[int], dropped: Collection[str], young: datetime) -> set[int]:
    """The versions of TABLE that remain once the tags DROPPED are gone.

    These are STAY, the newest, what was made since YOUNG, and what bears another tag.
    """
    newest = table.open()
    there = made(newest)
    tagged = {
        int(found["version"]) for tag, found in newest.tags.list().items() if tag not in dropped
    }
    fresh = {version for version, when in there.items() if when >= young}
    return ((stay | tagged) & set(there)) | fresh | {newest.version}


def drop(
    table: Table, stay: set[int], dropped: Collection[str], young: datetime, dry_run: bool
) -> int:
    """Remove all versions of TABLE that are not `staying`; the bytes that only they read.

    The tags DROPPED go first. Files that no version ever named, of a writer that was killed, are
    left to Lance, which removes them once they are a week old. DRY_RUN changes nothing.
    """
    newest = table.open()
    rest = staying(table, stay, dropped, young)
    gone = sorted(set(made(newest)) - rest)
    needed = {name for version in rest for name in _parts(table.open(version))}
    freed = {
        name: size
        for version in gone
        for name, size in _parts(table.open(version)).items()
        if name not in needed
    }
    if not dry_run:
        for tag in dropped:
            newest.tags.delete(tag)
        if gone:
            # by default a tagged version among the old ones makes Lance raise, though it would stay
            newest.cleanup_old_versions(versions=gone, error_if_tagged_old_versions=False)
    return sum(freed.values())


def _parts(version: lance.LanceDataset) -> dict[str, int]:
    """Bytes by name of the data files and index segments that VERSION reads."""
    data = {
        part.path: part.file_size_bytes or 0
        for fragment in version.get_fragments()
        for part in fragment.metadata.files
    }
    segments = {
        str(segment.uuid): segment.size_bytes or 0
        for found in version.describe_indices()
        for segment in found.segments
    }
    return data | segments
