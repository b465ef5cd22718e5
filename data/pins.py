"""Pins: DVC's pointers to the bytes of a dataset version or an encoder, and the remote they are in.

The store is itself a DVC repository without git, whose cache and remote are one folder, ``dvc/``:
``dvc pull pins/places/3.dvc``, said there, lays out a small store that holds that version alone.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import yaml

from data.store import Store

PINS: Final = "pins"
REMOTE: Final = "dvc"
OBJECTS: Final = f"{REMOTE}/files/md5"

CONFIG: Final = """\
[core]
    no_scm = True
    analytics = false
    remote = store
[cache]
    dir = ../dvc
['remote "store"']
    url = ../dvc
"""
"""The store's own ``.dvc/config``; paths are relative to it."""


def object_name(md5: str) -> str:
    """Where the bytes with hash MD5 lie in the store."""
    return f"{OBJECTS}/{md5[:2]}/{md5[2:]}"


def pointer_name(subject: str, version: str) -> str:
    """The ``.dvc`` file of VERSION of SUBJECT."""
    return f"{PINS}/{subject}/{version}.dvc"


def pinned(store: Store, subject: str) -> list[str]:
    """The versions of SUBJECT that are pinned, numbers in their order, then words."""
    names = store.names(f"{PINS}/{subject}")
    versions = [name.removesuffix(".dvc") for name in names if name.endswith(".dvc")]
    return sorted(
        versions, key=lambda word: (not word.isdigit(), int(word) if word.isdigit() else 0, word)
    )


def pin_of(store: Store, subject: str, version: str) -> str:
    """The hash (``MD5.dir``) under which VERSION of SUBJECT is pinned.

    Raises:
        FileNotFoundError: it is not pinned; names what is.
    """
    name = pointer_name(subject, version)
    if not store.exists(name):
        choices = ", ".join(pinned(store, subject)) or "nothing yet"
        raise FileNotFoundError(
            f"Version {version} of {subject} is not pinned in {store.root}: choose from {choices}."
        )
    return str(yaml.safe_load(store.read(name))["outs"][0]["md5"])


def files_of(store: Store, pin: str) -> dict[str, str]:
    """The files of PIN (``MD5.dir``): path within the store -> MD5 of its bytes.

    Raises:
        FileNotFoundError: the remote does not hold PIN.
    """
    name = object_name(pin)
    if not store.exists(name):
        raise FileNotFoundError(f"{pin} is not in the DVC remote {store.uri(REMOTE)}.")
    return {entry["relpath"]: entry["md5"] for entry in json.loads(store.read(name))}


def point(
    store: Store, subject: str, version: str, pin: str, files: int, what: Mapping[str, Any]
) -> None:
    """Write the ``.dvc`` file by which DVC finds PIN again, and a folder's DVC settings beside it.

    Args:
        store: where it is written.
        subject: a dataset's name, or ``encoders``.
        version: the dataset version or encoder digest; the folder that ``dvc pull`` lays out.
        pin: ``MD5.dir``.
        files: how many files it names.
        what: facts for a person who reads the file.
    """
    if store.local and not store.exists(".dvc/config"):
        store.write(".dvc/config", CONFIG.encode())
    pointer = {
        "outs": [{"md5": pin, "nfiles": files, "hash": "md5", "path": version}],
        "meta": dict(what),
    }
    store.write(pointer_name(subject, version), yaml.safe_dump(pointer, sort_keys=False).encode())
