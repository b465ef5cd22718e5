"""Whether what a recipe says of its source, its training and its measuring goes together."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from data.protocols import Protocol, protocols_of
from data.taxonomy import DescriptorType
from models.measures import measure
from models.scales import sides_of
from tasks.measuring.plan import OURS

if TYPE_CHECKING:
    from tasks.measuring.plan import EvaluatePlan
    from tasks.scan import SourcePlan
    from tasks.training.plan import TrainPlan


def check_protocol(source: "SourcePlan", train: "TrainPlan", evaluate: "EvaluatePlan") -> None:
    """Refuse a named protocol of another dataset, or one whose queries would be learned from.

    Raises:
        ValueError: the protocol of EVALUATE measures on another dataset than SOURCE is, on other
            splits than it reads, needs other descriptors than TRAIN makes, cannot be re-ranked or
            scaled as EVALUATE says, or TRAIN would learn from its queries; says what would do.
    """
    taught = train.taught_by
    if taught is not None and taught.dataset != source.dataset:
        choices = ", ".join(protocols_of(source.dataset)) or "none: this source has no protocol"
        raise ValueError(
            f"train.protocol teaches by {taught.dataset}, and the source is {source.dataset}: "
            f"choose from {choices}."
        )
    told = evaluate.named
    if told is None:
        if evaluate.asked_by or evaluate.real:
            raise ValueError(
                "evaluate.asked_by and evaluate.real say how a named protocol is asked, and "
                f"{evaluate.protocol} is none: name one, or set retrieval: asymmetric."
            )
        return
    what = f"evaluate.protocol {evaluate.name}"
    if told.dataset != source.dataset:
        choices = ", ".join((*OURS, *protocols_of(source.dataset)))
        raise ValueError(
            f"{what} measures on {told.dataset}, and the source is {source.dataset}: choose from "
            f"{choices}."
        )
    lists = str(source.options.get("lists", "") or "")
    if lists != told.lists:
        remedy = f"{{lists: {told.lists}}}" if told.lists else "without lists"
        raise ValueError(
            f"{what} asks by the splits of {told.lists or 'the publisher'}, and the source reads "
            f"those of {lists or 'the publisher'}: set source.options {remedy}."
        )
    objects = source.objects.of if source.objects else ""
    if told.objects != objects and told.retrieval is None:
        remedy = f"to {told.objects}" if told.objects else "to nothing"
        raise ValueError(
            f"{what} asks for {told.objects or 'whole pictures'}, and the rows of the source are "
            f"{objects or 'whole pictures'}: set source.objects {remedy}."
        )
    if refusal := measure(told.metric).refusal(train.descriptor == DescriptorType.BINARY):
        raise ValueError(f"{what}: {told.metric} {refusal}.")
    if evaluate.real and train.storage == "pq":
        raise ValueError(
            "evaluate.real is for binary codes, and of rows that are stored by pq real numbers ask "
            "in any case: leave it out."
        )
    if evaluate.real and train.descriptor != DescriptorType.BINARY:
        raise ValueError(
            f"evaluate.real compares real numbers with bits, and {train.descriptor} descriptors "
            "are no bits: set train: {descriptor: binary}, or leave it out."
        )
    if refusal := evaluate.refusal(train.spec().stored().metric):
        raise ValueError(f"{what}: {refusal}")
    try:
        sides_of(evaluate.scales, train.size)
    except ValueError as error:
        raise ValueError(f"evaluate.scales: {error}") from error
    if told.relevance == "caption" and not train.reads:
        raise ValueError(
            f"{what} asks with sentences, and train makes no tower for text: set train: "
            "{supervision: weakly_supervised, method: clip}."
        )
    opened = source.opened()
    splits = opened.options.splits or opened.options.choices(opened.card.splits)
    if _learns_from_queries(told, train, splits):
        remedy = "no picture of the dataset may teach, so set train: {epochs: 0}, without whitening"
        if told.retrieval is not None:
            remedy = f"set train: {{split: SPLIT}}, of pictures not in {told.queries.splits[0]}"
        if told.train is not None:
            remedy = f"set train: {{protocol: {evaluate.name}}}"
        raise ValueError(f"train would learn from the queries of {evaluate.name}: {remedy}.")


def _learns_from_queries(told: Protocol, train: "TrainPlan", splits: Collection[str]) -> bool:
    """Whether TRAIN, on a source of SPLITS, would see pictures that TOLD asks with."""
    if not train.looks or train.taught_by == told:
        return False
    if told.retrieval is not None and not told.queries.splits:
        return False  # a source without splits asks with a sample of all, as by labels
    asking = set(told.queries.splits)
    if train.taught_by is not None:
        taught = train.taught_by.train
        teaching = set(taught.splits) if taught else set()
    else:
        split = train.split or ("train" if "train" in splits else None)
        teaching = {split} if split else set()
    return not asking or not teaching or bool(asking & teaching)
