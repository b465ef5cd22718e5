"""Text files that are published in a zip, found whether it was unpacked or not."""

from collections.abc import Sequence

import fsspec

from data.adapters.archives import entries


class Unpacked:
    """The files of ARCHIVE, a zip in ROOT, or of one of the FOLDERS that it unpacks to.

    FOLDERS are below ROOT, with a slash at their ends; the files may also lie in ROOT itself. In
    the zip a file is known by its name, in whatever folder.
    """

    def __init__(self, root: str, archive: str, folders: Sequence[str]) -> None:
        self.root, self.archive, self.folders = root, archive, folders
        self.fs, self.path = fsspec.url_to_fs(root)
        self.members: dict[str, str] | None = None

    def find(self, file: str) -> str:
        """Where FILE lies.

        Raises:
            FileNotFoundError: nowhere.
            DamagedZip: the zip is cut or damaged.
        """
        for folder in (*self.folders, ""):
            if self.fs.exists(f"{self.path}/{folder}{file}"):
                return f"{self.root}/{folder}{file}"
        archive = f"{self.root}/{self.archive}"
        if self.members is None:
            there = self.fs.exists(f"{self.path}/{self.archive}")
            names = [entry.name for entry in entries(archive)] if there else []
            self.members = {name.rpartition("/")[2]: name for name in names}
        if file in self.members:
            return f"{archive}::{self.members[file]}"
        raise FileNotFoundError(
            f"No {self.folders[0]}{file} in {self.root}, nor in {self.archive} there."
        )
