"""Tars in memory."""

import io
import tarfile
from collections.abc import Mapping


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A tar of FILES by name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
