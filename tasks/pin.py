"""Pin the bytes of a dataset version, and of an encoder, with DVC; bring them back by their hash.

What is pinned is what Lance cannot keep: a compaction or a cleaning removes tars and table files,
and the pinned bytes stay. Every file that is pinned is immutable and its name is never used twice,
so a night hashes only the files that came since the last pin, and links them instead of copying;
where nothing came, it reads the pin and no more.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import lance
import pyarrow.compute as pc

from data.pins import OBJECTS, files_of, object_name, pin_of, pinned, point, pointer_name
from data.protocols.kept import FOLDER as PROTOCOLS
from data.store import Store

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB

ENCODERS = "encoders"


def pin(store: Store, dataset: str, version: int, encoder: str = "") -> str:
    """The hash (``MD5.dir``) that brings VERSION of DATASET back; its bytes are in the DVC remote.

    The live shards of the version and the files of its manifest are pinned as
    ``pins/DATASET/VERSION.dvc``; where ENCODER is given, its weights and card as
    ``pins/encoders/ENCODER.dvc``. The same version always has the same hash.

    Raises:
        FileNotFoundError: the dataset version, a shard of it, or the encoder is not in the store.
    """
    found = _held(store, dataset, str(version))
    if not found:
        what: dict[str, str | int] = {"dataset": dataset, "version": version}
        found = _pinned(store, dataset, str(version), _dataset_files(store, dataset, version), what)
    if encoder and not _held(store, ENCODERS, encoder):
        names = [f"{ENCODERS}/{encoder}/{name}" for name in store.names(f"{ENCODERS}/{encoder}")]
        if not names:
            raise FileNotFoundError(f"Encoder {encoder} is not in the store {store.root}.")
        _pinned(store, ENCODERS, encoder, names, {"encoder": encoder})
    return found


def pin_sets(store: Store, dataset: str, sets: str) -> str:
    """The hash that brings back SETS, a list of sets drawn from DATASET, by its name in the store.

    They are pinned as ``pins/protocols/DATASET/NAME.dvc``, apart from the dataset version, which
    has the same hash whatever is drawn from it.

    Raises:
        FileNotFoundError: they are not in the store.
    """
    subject, name = f"{PROTOCOLS}/{dataset}", PurePosixPath(sets).stem
    if found := _held(store, subject, name):
        return found
    if not store.exists(sets):
        raise FileNotFoundError(f"The drawn sets {sets} are not in the store {store.root}.")
    return _pinned(store, subject, name, [sets], {"dataset": dataset, "sets": name})


def restore(
    store: Store,
    dataset: str,
    version: int,
    into: Path,
    *,
    encoder: str = "",
    pin: str = "",
    sets: str = "",
) -> Store:
    """A store at INTO that holds VERSION of DATASET and nothing else: its manifest and its shards.

    Args:
        store: where it was pinned.
        dataset: the dataset's name.
        version: the dataset version.
        into: a folder, made where it is not there.
        encoder: also bring back this pinned encoder.
        pin: the hash a lineage names; the newest pin of VERSION where it is left out.
        sets: also bring back these drawn sets, by the name that a lineage says.

    Raises:
        FileNotFoundError: that version, hash or encoder is not pinned, or the sets are not.
    """
    files = files_of(store, pin or pin_of(store, dataset, str(version)))
    if encoder:
        files |= files_of(store, pin_of(store, ENCODERS, encoder))
    if sets:
        stem = PurePosixPath(sets).stem
        files |= files_of(store, pin_of(store, f"{PROTOCOLS}/{dataset}", stem))
    for name, md5 in files.items():
        target = into / _inside(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with store.fs.open(store.uri(object_name(md5)), "rb") as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
    return Store(str(into))


def _dataset_files(store: Store, dataset: str, version: int) -> list[str]:
    """The names of all that VERSION consists of: its live shards and the files of its manifest."""
    table = f"manifests/{dataset}.lance"
    try:
        manifest = lance.dataset(
            store.uri(table), version=version, storage_options=store.lance_options
        )
    except (ValueError, OSError) as error:
        raise FileNotFoundError(
            f"Version {version} of dataset {dataset} is not in the store {store.root}."
        ) from error
    tracked = manifest.tracked_files(min_version=version).read_all()
    own = tracked.filter(pc.equal(tracked["version"], version))["path"].to_pylist()
    live = manifest.to_table(columns=["shard"], filter="state = 'live' AND shard != ''")
    shards = sorted(pc.unique(live["shard"]).to_pylist())
    return [
        *(f"{table}/{path}" for path in own),
        *(f"shards/{dataset}/{shard}.tar" for shard in shards),
    ]


def _held(store: Store, subject: str, version: str) -> str:
    """The hash under which VERSION of SUBJECT is pinned and in the remote; empty where it is not.

    A tree is there only after its files, so they are not looked for one by one.
    """
    if not store.exists(pointer_name(subject, version)):
        return ""
    found = pin_of(store, subject, version)
    return found if store.exists(object_name(found)) else ""


def _pinned(
    store: Store, subject: str, version: str, names: Iterable[str], what: dict[str, str | int]
) -> str:
    """The hash of the tree of NAMES, all in the remote; files pinned before are not read."""
    from dvc_data.hashfile.db import get_odb
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.meta import Meta
    from dvc_data.hashfile.tree import Tree
    from dvc_objects.fs.local import localfs

    known = _known(store, subject)
    objects = get_odb(localfs, store.uri(OBJECTS)) if store.local else None
    tree = Tree()
    for name in sorted(names):
        md5 = known.get(name) or _taken_in(store, name, objects)
        tree.add(PurePosixPath(name).parts, Meta(), HashInfo("md5", md5))
    tree.digest()
    found = str(tree.hash_info.value)
    # DVC's own rule, and ours: who finds a tree finds its files, so the tree comes last
    store.create(object_name(found), tree.as_bytes())
    point(store, subject, version, found, len(tree), what)
    return found


def _known(store: Store, subject: str) -> dict[str, str]:
    """What the newest pin of SUBJECT says: name -> MD5; nothing where the remote has lost it."""
    versions = pinned(store, subject)
    found = _held(store, subject, versions[-1]) if versions else ""
    return files_of(store, found) if found else {}


def _taken_in(store: Store, name: str, objects: "HashFileDB | None") -> str:
    """The MD5 of NAME, its bytes now in the remote: linked into OBJECTS, or copied in a bucket."""
    from dvc_data.hashfile.hash import fobj_md5
    from dvc_objects.fs.local import localfs

    with store.fs.open(store.uri(name), "rb") as content:
        md5 = str(fobj_md5(content))
    if objects is not None:
        objects.add(store.uri(name), localfs, md5, hardlink=True)
    elif not store.exists(object_name(md5)):
        store.fs.cp_file(store.uri(name), store.uri(object_name(md5)))
    return md5


def _inside(name: str) -> PurePosixPath:
    """NAME as a path that stays within a folder.

    Raises:
        ValueError: NAME is absolute or climbs out; such a tree was not written by `pin`.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"The pin names {name!r}, which lies outside the folder: not restored.")
    return path
