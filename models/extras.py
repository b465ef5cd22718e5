"""Packages that Nightjar can do without, imported where they are asked for."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class MissingExtra(ModuleNotFoundError):
    """A package of an optional extra cannot be imported here."""


def library(name: str, wanted: str, extra: str = "backbones") -> Any:
    """The module NAME, which is installed with the optional EXTRA.

    Raises:
        MissingExtra: it cannot be imported; says what WANTED it and how to install it.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        raise MissingExtra(
            f"{wanted} needs the package {name}, which cannot be imported here ({error}). Install "
            f"it with: pip install 'nightjar[{extra}]' -- or, where there is no network, fetch the "
            f"wheels with `pip download` on another machine and `pip install --no-index "
            f"--find-links FOLDER`."
        ) from error


@contextmanager
def offline() -> Iterator[None]:
    """Within it huggingface_hub, which the others fetch by, fetches nothing.

    What a description says, an attention kernel or an architecture, may be an address of a hub.
    """
    try:
        constants: Any = importlib.import_module("huggingface_hub.constants")
    except ImportError:
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
