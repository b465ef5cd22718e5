"""What a training may be told together, and what not."""

from typing import TYPE_CHECKING

from data.taxonomy import DescriptorType, Supervision
from models import composition
from models.supervision import SUPERVISIONS

if TYPE_CHECKING:
    from tasks.training.plan import TrainPlan


def check(plan: "TrainPlan") -> None:
    """Return if all that PLAN says can be done together.

    Raises:
        ValueError: it cannot; says what to set.
    """
    composition.check(plan.supervision, plan.network, plan.descriptor, plan.method)
    composition.check_pooling(
        plan.network,
        plan.descriptor,
        plan.pooled_by,
        plan.dimensions,
        0 if plan.pretrained else plan.width,
    )
    if plan.batches == "balanced" and plan.batch % plan.each:
        raise ValueError(
            f"{plan.way_name} on {plan.network} learns from balanced steps: batch, "
            f"{plan.batch}, must be a multiple of each, {plan.each}."
        )
    _check_together(plan)
    _check_numbers(plan)
    composition.check_whitening(plan.supervision, plan.descriptor, plan.pooled_by, plan.whitening)
    composition.check_learned_bits(
        plan.network, plan.descriptor, plan.learned_bits, plan.dimensions, plan.looks
    )
    composition.check_storage(plan.descriptor, plan.pooled_by, plan.storage, plan.pq_parts)
    _check_codes(plan)
    _check_compatible(plan)
    _check_text(plan)
    _check_workers(plan)


def _check_together(plan: "TrainPlan") -> None:
    """Return if PLAN says nothing twice, and nothing in vain.

    Raises:
        ValueError: it does; says what to set.
    """
    if plan.protocol is not None and plan.split is not None:
        raise ValueError(
            f"split is {plan.split!r}, and the protocol says itself which pictures teach: leave "
            "one of them out."
        )
    if plan.patience and not plan.validation:
        raise ValueError(
            "patience waits for a better epoch, and without validation none is better than "
            "another: set validation, the share of the pictures that choose, say 0.1."
        )
    if plan.validation and plan.way.renewed:
        teaching = SUPERVISIONS[plan.supervision]
        suitable = teaching.methods_for(plan.descriptor)
        able = " or ".join(word for word in suitable if not teaching.methods[word].renewed)
        raise ValueError(
            f"validation: {plan.validation:g} would choose the epoch by the loss on pictures that "
            f"are held out, and method: {plan.way_name} has targets of those alone that it learns "
            f"from, others in every epoch: leave validation out, or set method: {able}."
        )
    if plan.sketches and plan.see == "edges":
        raise ValueError(
            f"see: edges shows every picture as a drawing, and sketches: {plan.sketches:g} "
            "would draw drawings: leave one of them out."
        )
    if plan.bits_by != "worth" and not plan.learned_bits:
        raise ValueError(
            f"bits_by: {plan.bits_by} says which of the learned bits are kept, and all of them "
            "are: set learned_bits, of which dimensions are kept, or leave bits_by out."
        )


def _check_numbers(plan: "TrainPlan") -> None:
    """Return if the loss that PLAN learns by has the numbers that it is told.

    Raises:
        ValueError: it has not; says which would.
    """
    if plan.compatible_with and plan.compatible_by == "descriptors":  # whose margin is its own
        if plan.temperature is not None:
            raise ValueError(
                f"temperature: {plan.temperature:g} divides no cosine where compatible_by is "
                "descriptors: leave it out."
            )
        return
    teaching = SUPERVISIONS[plan.supervision]
    for number, said in (("temperature", plan.temperature), ("margin", plan.margin)):
        if said is None or plan.way.has(number):
            continue
        suitable = teaching.methods_for(plan.descriptor)
        able = " or ".join(word for word in suitable if teaching.methods[word].has(number))
        other = f", or set method: {able}" if able else ""
        raise ValueError(
            f"{number}: {said:g} is a number of a loss, and that of {plan.way_name} has none: "
            f"leave it out{other}."
        )


def _check_workers(plan: "TrainPlan") -> None:
    """Return if a step of PLAN can be shared by its workers, of whom each learns from its own part.

    Raises:
        ValueError: it cannot; says what to set.
    """
    least = 2 * plan.workers
    if plan.workers > 1 and plan.batch < least:
        raise ValueError(
            f"workers: {plan.workers} share the pictures of a step, and of one alone a worker "
            f"learns nothing: set batch, {plan.batch}, to {least} at least, or take fewer workers."
        )
    if plan.workers > 1 and plan.batches == "balanced" and plan.each < least:
        raise ValueError(
            f"workers: {plan.workers} share the pictures that a step has of each class, and a "
            f"worker compares its own alone: set each, {plan.each}, to {least} at least, so that "
            "all have two of a class, or take fewer workers."
        )


def _check_codes(plan: "TrainPlan") -> None:
    """Return if PLAN says nothing that codes of single pictures do not bear, where it learns them.

    Raises:
        ValueError: it does; says what to set.
    """
    if not plan.way.codes:
        return
    what = f"method: {plan.way_name} learns the codes of the pictures beside the network"
    if not plan.epochs:
        raise ValueError(f"{what}, and by no epochs nothing is learned: set epochs to 1 at least.")
    if plan.learned_bits:
        raise ValueError(
            f"{what}, bit by bit for it, and learned_bits: {plan.learned_bits} would choose among "
            "the network's: leave it out."
        )
    if plan.compatible_with:
        raise ValueError(
            f"{what}, wherever they come to lie, and compatible_with: {plan.compatible_with[:12]} "
            "would have them where another encoder's are: leave it out, or choose another method."
        )
    if plan.validation:
        raise ValueError(
            f"{what}, and those of an earlier epoch than the last are gone when it turns out to be "
            "the best: leave validation out."
        )
    if plan.workers:
        raise ValueError(f"{what} in one process: set workers: 0, or choose another method.")


def _check_text(plan: "TrainPlan") -> None:
    """Return if pictures and words stay together by PLAN, where it makes a tower for text.

    Raises:
        ValueError: they do not; says what to set.
    """
    if plan.text and not plan.pretrained:
        raise ValueError(
            "text: pretrained comes with pretrained weights, and none are named: set pretrained, "
            "or leave text out."
        )
    if plan.text and plan.epochs and not plan.way.reads:
        raise ValueError(
            f"{plan.way_name} teaches pictures alone, and would part them from the words of text: "
            "pretrained: set epochs: 0, or method: clip."
        )
    if not (plan.text or plan.way.reads):
        return
    if plan.learned_bits:
        raise ValueError(
            f"learned_bits: {plan.learned_bits} chooses among the bits of pictures, and those of "
            "words would no longer be the same: leave it out."
        )
    if plan.whitening != "none" or plan.descriptor is DescriptorType.AGGREGATED:
        raise ValueError(
            f"whitening: {plan.whitening} and descriptor: {plan.descriptor} put another head into "
            "the place of the one that meets the tower for text: choose whitening: none, and the "
            "descriptor real_valued or binary."
        )


def _check_compatible(plan: "TrainPlan") -> None:
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
