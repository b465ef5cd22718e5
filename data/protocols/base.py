"""What a protocol is: which pictures ask, answer and teach, what counts, and the measure."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from data.hierarchy import Parents, check_tree
from data.plan import Kept, Plan
from data.taxonomy import Retrieval
from data.trees import tree_in

Relevance = Literal[
    "same_label", "shared_label", "hierarchical", "listed", "judged", "caption", "same_pair"
]
"""Which answers are right: those of the query's class (also an object, a product, a place or a
cluster of copies); those that share a class with it; those of a class that is near in a tree, the
deeper the lowest group that holds both the more; those that the truth lists for it, junk left out;
those that judges thought so, as much as they did; its own sentences, or the picture of a sentence;
its other half, such as the photograph of a sketch."""

Labels = Literal["all", "some", "seen", "unseen"]

Own = Literal["absent", "left_out", "counted"]
"""Whether the picture that a query is stands in the database: no; yes, and it is left out of the
query's answers by key and not by rank; yes, and it is an answer (that of its own sentence, say)."""


class Pick(Plan):
    """Some pictures of a dataset: those of some splits, or so many drawn from them.

    Args:
        splits: the splits that they are of, as the adapter calls them; none named: all.
        labels: all pictures; those with some label; those whose labels all teach, or none of them.
        each: pictures drawn of every label; 0: not by label.
        count: pictures drawn in all; 0: all that are left.
        without: sets of the protocol whose pictures are left out, drawn before this one.
    """

    splits: tuple[str, ...] = ()
    labels: Labels = "all"
    each: int = Field(default=0, ge=0)
    count: int = Field(default=0, ge=0)
    without: tuple[Literal["queries", "train"], ...] = ()

    @property
    def is_drawn(self) -> bool:
        """Whether lots decide."""
        return bool(self.each or self.count)


class Protocol(Kept):
    """One way to measure retrieval on a dataset, of which a number is worth only with its name.

    No query is in the database, unless `own` says so.

    Args:
        dataset: a word of `data.adapters.DATASETS`, or of an adapter to come.
        queries: the pictures that ask.
        database: the pictures that answer.
        train: the pictures that may teach; None: no picture of this dataset.
        relevance: which answers are right.
        metric: the headline, with its normalisation: ``map@1000[hits]``, ``map@100[min]``,
            ``map[all]``; never a bare "mAP@k".
        also: metrics that papers report beside it.
        defined: who defined it, and where that can be read.
        note: what one must know to compare with published numbers.
        own: whether the picture that a query is stands in the database.
        lists: whose published lists say the splits: the value of the adapter's option ``lists``;
            empty: the official splits.
        frequent: only so many labels count, the most frequent ones, and only pictures that have one
            of them; 0: all.
        seen: the share of labels that teach, drawn by lot; 1: all of them.
        answers: where answers are listed, the words before the ``/`` in those tags of a query that
            name one by its key: ``easy/KEY``.
        junk: the same of pictures that leave the query's ranking before it is measured.
        crop: queries are the boxes that the truth gives them, and not the whole picture.
        sizes: pictures in queries, database and train, as papers state them; 0 where they do not.
        seed: of what is drawn.
        retrieval: the kind of retrieval that says how it is measured, where no paper does.
        parents: where relevance is hierarchical, the group above each label or group, ``dog:
            animal``, or the groups, ``dog: [canine, pet]``; what is not named lies as its name
            says, ``animal/dog``, or below the root. Or the path of a file that says so, or of
            several, which is read when the protocol is: see `data.trees`.
        tree: the names of these files, which must know every label; empty where none was read.
        objects: what a row is: a whole picture, where empty; a box, or a region of a grid.
        per_image: rows that are parts of one picture are one answer, as near as the nearest of them
            and as good as the best.

    Raises:
        ValueError: a group stands above itself, or there are groups that nothing asks for.
    """

    later: ClassVar[Mapping[str, Any]] = {
        "retrieval": None,
        "parents": {},
        "tree": "",
        "objects": "",
        "per_image": False,
    }

    dataset: str
    queries: Pick
    database: Pick
    train: Pick | None = None
    relevance: Relevance
    metric: str = Field(pattern=r"^[a-z_]+(@[0-9]+)?(\[[a-z0-9<=> -]+\])?$")
    also: tuple[str, ...] = ()
    defined: str
    note: str = ""
    own: Own = "absent"
    lists: str = ""
    frequent: int = Field(default=0, ge=0)
    seen: float = Field(default=1.0, gt=0, le=1)
    answers: tuple[str, ...] = ()
    junk: tuple[str, ...] = ()
    crop: bool = False
    sizes: tuple[int, int, int] = (0, 0, 0)
    seed: str = "nightjar 1"
    retrieval: Retrieval | None = None
    parents: Parents = Field(default_factory=dict)
    tree: str = ""
    objects: Literal["", "boxes", "grid"] = ""
    per_image: bool = False

    @model_validator(mode="before")
    @classmethod
    def _tree_is_read(cls, said: Any) -> Any:
        parents = said.get("parents") if isinstance(said, Mapping) else None
        if not isinstance(parents, str | list | tuple):
            return said
        paths = [parents] if isinstance(parents, str) else list(map(str, parents))
        names = ", ".join(path.rpartition("/")[2] for path in paths)
        return {**said, "parents": tree_in(paths), "tree": names}

    @field_validator("parents")
    @classmethod
    def _is_a_tree(cls, parents: Parents) -> Parents:
        check_tree(parents)
        return parents

    @model_validator(mode="after")
    def _tree_is_asked_for(self) -> "Protocol":
        tree = self.relevance == "hierarchical"
        if self.parents and not tree:
            raise ValueError(
                f"parents say how labels hang together, and relevance {self.relevance} asks only "
                "whether they are the same: set relevance: hierarchical, or leave them out."
            )
        if tree and self.frequent:
            raise ValueError(
                "frequent counts labels, and a hierarchical relevance asks for the groups above "
                "them: leave it out."
            )
        return self

    @property
    def is_drawn(self) -> bool:
        """Whether lots decide which pictures are in its sets."""
        picks = (self.queries, self.database, self.train)
        return self.seen < 1 or any(pick is not None and pick.is_drawn for pick in picks)

    @property
    def measures(self) -> tuple[str, ...]:
        """The headline, and what is reported beside it."""
        return (self.metric, *self.also)
