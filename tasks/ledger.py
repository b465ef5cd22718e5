"""What a ledger says of the images that a source lists: how many are where, and which are not."""

from typing import Literal

from pydantic import Field

from data.plan import Plan


class Missing(Plan):
    """A listed image that search does not find as it is listed: in which state it is, and why.

    ``missing`` is the state for which there is no excuse: it fails the run.
    """

    key: str
    state: Literal["quarantined", "deferred", "missing"]
    reason: str


class Account(Plan):
    """Where every listed image is: ``listed = indexed + unchanged + quarantined + deferred``.

    Args:
        listed: images that the source lists.
        indexed: of these, new in the index tonight, under the digest that the manifest says.
        unchanged: in the index as they were.
        quarantined: bad images, whatever night found them bad.
        deferred: waiting for their bytes to be read or for their descriptor.
        lost: live images with a descriptor that are not in the index; a fault.
        extra: rows of the index that no live image stands behind; a fault.
        reasons: how many are quarantined and deferred for each reason.
        coverage: share of the good images that search finds.
        missing: the first thousand of the quarantined, the deferred and the lost.
        missing_count: how many there are.
        missing_file: where all of them stand (CSV), if there are more.
        ok: whether the sum is right and nothing is lost or extra.
    """

    listed: int
    indexed: int
    unchanged: int
    quarantined: int
    deferred: int
    lost: int = 0
    extra: int = 0
    reasons: dict[str, dict[str, int]] = Field(default_factory=dict)
    coverage: float
    missing: tuple[Missing, ...] = ()
    missing_count: int = 0
    missing_file: str = ""
    ok: bool

    @property
    def sentence(self) -> str:
        """The balance in words."""
        faults = f"; {self.lost} lost, {self.extra} extra" if self.lost or self.extra else ""
        return (
            f"{self.listed} listed = {self.indexed} indexed + {self.unchanged} unchanged + "
            f"{self.quarantined} quarantined + {self.deferred} deferred{faults}"
        )
