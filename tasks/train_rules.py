"""What a training that is to fit an older encoder may be told together."""

from typing import TYPE_CHECKING

from data.taxonomy import DescriptorType, Supervision

if TYPE_CHECKING:
    from tasks.train_plan import TrainPlan


def check_compatible(plan: "TrainPlan") -> None:
    """Return if PLAN can make an encoder compatible with the one it names, where it names one.

    Raises:
        ValueError: it cannot; says what to set.
    """
    if not plan.compatible_with:
        return
    what = f"compatible_with: {plan.compatible_with[:12]}"
    labelled = plan.supervision is Supervision.SUPERVISED
    if plan.compatible_by == "classes" and not labelled:
        raise ValueError(
            f"{what}, by classes, learns from labels, and {plan.supervision} is not: set "
            "supervision: supervised, or compatible_by: descriptors."
        )
    if not labelled and plan.supervision is not Supervision.SELF_SUPERVISED:
        raise ValueError(
            f"{what} learns from what that encoder says, with labels or without: set "
            f"supervision: supervised, or self_supervised, and not {plan.supervision}."
        )
    if plan.method and plan.compatible_by == "descriptors":
        raise ValueError(
            f"{what}, by descriptors, is a method itself: leave method: {plan.method} out, or "
            "set compatible_by: classes."
        )
    if plan.descriptor is DescriptorType.AGGREGATED or plan.whitening != "none":
        raise ValueError(
            f"{what} learns where that encoder puts things, and what is found in closed form "
            "afterwards would move them: choose the descriptor real_valued or binary, and "
            "whitening: none."
        )
    if plan.learned_bits:
        raise ValueError(
            f"{what} has its bits where that encoder has them, and learned_bits would choose among "
            "them: leave it out."
        )
    if not plan.epochs:
        raise ValueError(f"{what} has to be learned: set epochs to 1 at least.")
    if plan.validation and not labelled:
        raise ValueError(
            f"{what} knows what that encoder says of the pictures to learn from alone: leave "
            "validation out, or set supervision: supervised."
        )
