"""The facts of a dataset as data: who made it, under which terms, which files, what it is good for.

`nightjar datasets`, `nightjar download`, docs/datasets.md and the tests read them; nothing is said
of a dataset anywhere else.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, model_validator

from data.plan import Plan
from data.taxonomy import Retrieval, Supervision

Annotation = Literal["labels", "tags", "captions", "boxes"]

Says = Literal["single", "multi", "tags", "captions", "clicks", "boxes", "answers", "query boxes"]
"""What is known of a picture: one class, several classes, words that users gave, sentences, the
queries it was clicked for, labelled regions; of a query, which pictures answer it and which part
of it asks."""

Access = Literal["open", "by agreement", "withdrawn", "never published", "your own"]
"""How one comes by the files; "your own" for a form of source, such as a folder."""

Verified = Literal["real files", "part of the real files", "miniature"]
"""What the adapter was tried on; a miniature is made by the tests in the documented layout."""

CARRIED: Final[Mapping[Says, Annotation]] = {
    "single": "labels",
    "multi": "labels",
    "tags": "tags",
    "captions": "captions",
    "clicks": "tags",
    "boxes": "boxes",
    "answers": "tags",
    "query boxes": "boxes",
}
"""Where a `Sample` carries what is said; a query that was clicked is a noisy word, as a tag is."""

WEAK: Final[frozenset[Says]] = frozenset({"tags", "captions", "clicks", "boxes"})
"""What weak supervision is made of (section III of the survey). Answers and the boxes of queries
are the truth that a number is measured by: they teach nobody."""


class Source(Plan):
    """A file that the publisher of a dataset offers, and how to know it is the right one.

    Args:
        url: where it lies, http or https; empty where it is handed out by agreement only.
        saved_as: the path it is saved under, below the dataset's folder, where its adapter looks
            for it; the last part of the URL where left out.
        holds: what is in it, in a few words; files that hold the same are shown as one line.
        splits: the official splits that need it; none named: all of them do.
        form: which of several packagings of the same it belongs to (``python``, ``binary``); a
            download takes the card's first unless it is told another. Empty: it belongs to all.
        bytes: its length; 0 where the publisher does not say.
        sha256: hex digest of it; empty where nobody has published one.
        md5: the same, for publishers who give only this.
        md5_url: a small file of the publisher's that begins with the md5 or has it as a word.
    """

    url: str = Field(default="", pattern=r"^(https?://.+)?$")
    saved_as: str = ""
    holds: str = ""
    splits: tuple[str, ...] = ()
    form: str = ""
    bytes: int = Field(default=0, ge=0)
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    md5: str = Field(default="", pattern=r"^([0-9a-f]{32})?$")
    md5_url: str = Field(default="", pattern=r"^(https?://.+)?$")

    @property
    def name(self) -> str:
        """The path it is saved under, below the dataset's folder, with forward slashes."""
        return self.saved_as or unquote(PurePosixPath(urlsplit(self.url).path).name)

    @model_validator(mode="after")
    def _stays_in_its_folder(self) -> Self:
        parts = self.name.split("/")
        if not all(part.strip(".") and "\\" not in part and "\0" not in part for part in parts):
            raise ValueError(
                f"{self.name!r} is no path below a folder: say another one by saved_as."
            )
        return self


class Card(Plan):
    """The facts of a dataset.

    Args:
        name: the word a recipe uses.
        about: one sentence on what the pictures are.
        labels: what a label means, hence which pictures count as the same.
        says: what is known of its pictures; a supervision's needs are held to it.
        retrievals: the retrieval types that its truth can measure.
        cite: author, title, year and address of the publication; empty for a form of source.
        home: address of the dataset's own page.
        licence: of pictures and annotations, by name; "the source's own" for a form of source.
        terms: a sentence on what one may do; empty where the licence says it all.
        access: how one comes by the files.
        ask: where they are not open: exactly what to ask whom for, and where to put it.
        splits: pictures in each official split; empty where the splits are the source's own.
        sources: the official files, in the order in which they should be had.
        layout: where in its root the adapter looks for what, in a sentence or two.
        marks: names of files or folders, perhaps with ``*``, any of which gives the layout away.
        labels_in: a file without which its pictures have no labels; empty: they always have.
        verified: what the adapter was tried on.
        proof: the same in a sentence: which files, how many pictures, what was compared.
        traps: what goes wrong with this dataset elsewhere, a sentence each; each has a test.
    """

    name: str
    about: str
    labels: str
    says: tuple[Says, ...] = ("single",)
    retrievals: tuple[Retrieval, ...] = ()
    cite: str = ""
    home: str = ""
    licence: str = "the source's own"
    terms: str = ""
    access: Access = "your own"
    ask: str = ""
    splits: dict[str, int] = Field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    layout: str = ""
    marks: tuple[str, ...] = ()
    labels_in: str = ""
    verified: Verified = "miniature"
    proof: str = ""
    traps: tuple[str, ...] = ()

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """Which annotations its samples may carry, in the order of a listing's columns."""
        carried = {CARRIED[word] for word in self.says}
        order: tuple[Annotation, ...] = ("labels", "tags", "captions", "boxes")
        return tuple(name for name in order if name in carried)

    @property
    def supervisions(self) -> tuple[Supervision, ...]:
        """Which supervisions it has the annotations for.

        Three need the pictures alone. Labels teach, and teach in part; of what is weak, see `WEAK`.
        """
        labelled = "labels" in self.annotations
        served = {
            Supervision.SUPERVISED: labelled,
            Supervision.SEMI_SUPERVISED: labelled,
            Supervision.WEAKLY_SUPERVISED: bool(WEAK & set(self.says)),
        }
        return tuple(word for word in Supervision if served.get(word, True))

    @property
    def pictures(self) -> int:
        """The pictures in all official splits; 0 where nobody can say."""
        return sum(self.splits.values())

    @property
    def forms(self) -> tuple[str, ...]:
        """The packagings of the same that its publisher offers, the preferred one first."""
        return tuple(dict.fromkeys(source.form for source in self.sources if source.form))
