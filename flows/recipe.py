"""A recipe: one YAML file that says what is indexed, by which encoder, and what a night may do."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from data.plan import Plan
from data.taxonomy import Retrieval, unknown
from flows.agreement import check_protocol
from flows.kinds import measured_as
from flows.written import mapping_of
from models.composition import check_annotations
from models.origin import weights_beside
from tasks.clean import RetainPlan
from tasks.cluster import ClusterPlan
from tasks.extract import ExtractPlan
from tasks.gates import GatesPlan
from tasks.index import IndexPlan
from tasks.measuring.evaluate import EvaluatePlan
from tasks.scan import ScanPlan, SourcePlan
from tasks.shard import ShardPlan
from tasks.training.train import TrainPlan

SHIPPED = resources.files("flows") / "recipes"


class Recipe(Plan):
    """The plans of all stages; each stage is handed its own and sees no other.

    Args:
        name: names the recipe's index, alias and runs in the store.
        dataset: names the shards and the manifest; recipes that share a dataset share its bytes.
            The recipe's own name where it is left out.
        retrieval: what the index is for; where no protocol is named it says how that is measured.
    """

    later: ClassVar[Mapping[str, Any]] = {"retrieval": None}

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    dataset: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    source: SourcePlan
    scan: ScanPlan = ScanPlan()
    shard: ShardPlan = ShardPlan()
    train: TrainPlan = TrainPlan()
    extract: ExtractPlan = ExtractPlan()
    index: IndexPlan = IndexPlan()
    retrieval: Retrieval | None = None
    evaluate: EvaluatePlan = Field(EvaluatePlan(), validate_default=True)
    gates: GatesPlan = GatesPlan()
    retain: RetainPlan = RetainPlan()
    cluster: ClusterPlan = ClusterPlan()
    pin: bool = Field(True, description="pin the bytes of every dataset version with DVC")

    @model_validator(mode="before")
    @classmethod
    def _dataset_named(cls, fields: Any) -> Any:
        if isinstance(fields, Mapping) and not fields.get("dataset"):
            return {**fields, "dataset": fields.get("name", "")}
        return fields

    @field_validator("source")
    @classmethod
    def _readable(cls, source: SourcePlan) -> SourcePlan:
        source.opened()  # reads nothing
        return source

    @field_validator("evaluate")
    @classmethod
    def _measured_as_retrieved(cls, evaluate: EvaluatePlan, info: ValidationInfo) -> EvaluatePlan:
        word, source, train = (info.data.get(name) for name in ("retrieval", "source", "train"))
        if word is None or source is None or train is None:
            return evaluate
        return measured_as(word, source, train, evaluate)

    @model_validator(mode="after")
    def _teachable(self) -> "Recipe":
        card = self.source.opened().card
        check_annotations(
            self.train.supervision, card.annotations, self.source.dataset, card.supervisions
        )
        return self

    @model_validator(mode="after")
    def _agrees(self) -> "Recipe":
        check_protocol(self.source, self.train, self.evaluate)
        return self

    @model_validator(mode="after")
    def _finite(self) -> "Recipe":
        for place, number in _numbers(self.model_dump(mode="python"), ""):
            if not math.isfinite(number):
                raise ValueError(f"{place} is {number}: choose a finite number, or leave it out")
        return self

    @classmethod
    def named(cls, word: str) -> "Recipe":
        """The recipe in file WORD (``photos.yaml``), or the shipped one of that name.

        Raises:
            FileNotFoundError: there is neither; names the shipped ones.
            ValueError: the file is no recipe; names the field, its value and what would do.
        """
        path = Path(word)
        if path.suffix in {".yaml", ".yml"} or path.is_file():
            if not path.is_file():
                raise FileNotFoundError(
                    f"No recipe file {word}. Write one with: nightjar init SOURCE --name NAME"
                )
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(f"{word} is no text in UTF-8, so it is no recipe.") from error
            return cls.parsed(text, word, relative_to=path.absolute().parent)
        if word not in shipped():
            local = Path(f"{word}.yaml")
            hint = f" There is a file {local}; name it with its suffix." if local.is_file() else ""
            raise FileNotFoundError(unknown("recipe", word, shipped()) + hint)
        return cls.parsed((SHIPPED / f"{word}.yaml").read_text(), word, relative_to=Path.cwd())

    @classmethod
    def parsed(cls, text: str, word: str, relative_to: Path) -> "Recipe":
        """The recipe that YAML TEXT says; a relative path in it is taken from RELATIVE_TO.

        Raises:
            ValueError: TEXT is no YAML mapping or breaks a plan's rules.
        """
        fields = mapping_of(text, word)

        def beside(path: Any) -> Any:
            """PATH from the recipe's folder, or a URL as it is; what is no path, for its field."""
            if not isinstance(path, str) or "://" in path:
                return path
            return str(relative_to / os.path.expanduser(path))

        source = fields.get("source")
        if isinstance(source, dict) and "root" in source:
            fields["source"] = {**source, "root": beside(source["root"])}
        for stage in ("train", "evaluate"):
            fields |= _with_trees(fields, stage, beside)
        train = fields.get("train")
        if isinstance(train, dict) and isinstance(train.get("pretrained"), str):
            weights = weights_beside(train["pretrained"], relative_to)
            fields["train"] = {**train, "pretrained": weights}
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise ValueError(f"{word} is no valid recipe.\n{_sentences(error)}") from error


def shipped() -> list[str]:
    """The names of the recipes that come with Nightjar."""
    return sorted(entry.name[:-5] for entry in SHIPPED.iterdir() if entry.name.endswith(".yaml"))


def _with_trees(
    fields: Mapping[str, Any], stage: str, beside: Callable[[Any], Any]
) -> dict[str, Any]:
    """STAGE of FIELDS, where it writes out a protocol whose tree is in files: each BESIDE it."""
    said = fields.get(stage)
    protocol = said.get("protocol") if isinstance(said, dict) else None
    parents = protocol.get("parents") if isinstance(protocol, dict) else None
    if not isinstance(parents, str | list):
        return {}
    found = beside(parents) if isinstance(parents, str) else [beside(one) for one in parents]
    return {stage: {**said, "protocol": {**protocol, "parents": found}}}  # type: ignore[dict-item]


def _numbers(said: Any, place: str) -> Iterator[tuple[str, float]]:
    """The numbers with a point in what is SAID, and of all within it, each with its PLACE."""
    if isinstance(said, float):
        yield place, said
    elif isinstance(said, Mapping):
        for word, value in said.items():
            yield from _numbers(value, f"{place}.{word}" if place else str(word))
    elif isinstance(said, list | tuple):
        for value in said:
            yield from _numbers(value, place)


def _sentences(error: ValidationError) -> str:
    """What is wrong, a line a fault: place, rule and value; for an unknown key the choices."""
    lines = []
    for fault in error.errors():
        *parents, last = fault["loc"] or ("",)
        place = ".".join(str(part) for part in fault["loc"])
        place = f"{place}: " if place else ""  # where two sections disagree
        if fault["type"] == "extra_forbidden":
            lines.append(f"  {place}{unknown('key', str(last), _keys(parents))}")
            continue
        value = fault["input"]
        shown = f" (it is {value!r})" if isinstance(value, str | int | float | bool) else ""
        lines.append(f"  {place}{fault['msg'].removeprefix('Value error, ')}{shown}")
    return "\n".join(lines)


def _keys(place: Sequence[int | str]) -> list[str]:
    """The keys that the plan at PLACE within a recipe knows."""
    plan: type[Plan] = Recipe
    for part in place:
        inner = plan.model_fields[str(part)].annotation
        if not (isinstance(inner, type) and issubclass(inner, Plan)):
            return []
        plan = inner
    return sorted(plan.model_fields)
