"""Packages that Nightjar can do without, imported where they are asked for."""

import importlib
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
