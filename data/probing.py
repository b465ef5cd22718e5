"""How an approximate index is asked, where somebody measured what that finds."""

from pydantic import Field

from data.plan import Plan


class Probing(Plan):
    """A setting with which an ANN index is asked, and the recall that it was chosen for.

    Args:
        nprobes: partitions that a query visits.
        refine: candidates per answer whose distance is computed again from the stored descriptor;
            of no concern where descriptors are bits, whose distances are exact.
        k: nearest rows among which the recall was measured.
        wanted: the recall that was asked for.
        recall: the recall that was measured.
    """

    nprobes: int = Field(ge=1)
    refine: int = Field(ge=1)
    k: int = Field(ge=1)
    wanted: float = Field(gt=0, le=1)
    recall: float = Field(ge=0, le=1)
