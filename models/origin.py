"""Which files of this machine a recipe's ``pretrained`` names, and the digest of what is in them.

Every night asks whether its plan has been trained, and mostly it has: torch is not needed for that.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from data.plan import digest_of

WEIGHTS: Final = (".safetensors", ".bin", ".pt", ".pth")
"""How files of weights end, and no model of a hub."""

LIBRARIES: Final = ("timm/", "open_clip/")
"""How words begin that name a library's network, and after an ``@`` perhaps a file of weights."""

ABOUT: Final = (".json", ".txt", ".model")
"""How files end that say what the weights beside them are of: configurations, tokenizers."""


def at_home(path: str) -> Path:
    """PATH, in whose first place ``~`` stands for a home that is known; else it is a name."""
    return Path(os.path.expanduser(path))


def weights_beside(pretrained: str, folder: Path) -> str:
    """PRETRAINED with a whole path in the place of a relative one that names something in FOLDER.

    What names nothing there, the id of a hub for instance, stays as it is.
    """
    library, path = _parted(pretrained)
    whole = folder / path
    return f"{library}{whole}" if path.name and whole.exists() else pretrained


def files_of(pretrained: str) -> list[Path]:
    """The files that PRETRAINED is read from; none where it is fetched, or is not there now.

    Args:
        pretrained: a word of `models.backbones`: FILE, FOLDER, or one of timm/NAME@FILE and
            open_clip/NAME@FILE.
    """
    _, path = _parted(pretrained)
    if path.is_file():
        return [path]
    if not path.name or not path.is_dir():
        return []
    return sorted(one for one in path.iterdir() if one.suffix in WEIGHTS + ABOUT and one.is_file())


def origin_digest(pretrained: str | None) -> str:
    """The digest of what PRETRAINED holds, 64 hex digits; empty where no file here holds it.

    Of one file it is the SHA-256 of its bytes, of several that of their names and digests.
    """
    digests = {file.name: _sha256(file) for file in files_of(pretrained or "")}
    if len(digests) > 1:
        return digest_of(digests)
    return "".join(digests.values())


def _parted(pretrained: str) -> tuple[str, Path]:
    """PRETRAINED as the network that it names of a library, with its ``@``, and a path.

    Either may be empty.
    """
    if pretrained == "pixels":
        return pretrained, Path()
    if not pretrained.startswith(LIBRARIES) or at_home(pretrained).is_file():
        return "", at_home(pretrained)
    name, at, file = pretrained.partition("@")
    return name + at, at_home(file)


def _sha256(path: Path) -> str:
    """The SHA-256 of the file PATH, in 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
