"""What there is to choose from, in the taxonomy's words: what goes together, what each needs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from data.adapters import DATASETS
from data.plan import Plan
from data.taxonomy import DescriptorType, Network, Supervision
from flows import kinds
from models.aggregation import AGGREGATIONS
from models.composition import check
from models.descriptors import DESCRIPTORS
from models.descriptors.quantised import Quantised
from models.networks import NETWORKS
from models.supervision import SUPERVISIONS
from models.supervision.methods import LABELS, Method

RESULTS: Final = "benchmarks/results/taxonomy.json"
"""Where the outcomes of the taxonomy's benchmark are kept in a checkout."""

COMMAND: Final = f"nightjar methods --markdown --measured {RESULTS} > docs/methods.md"
"""Writes the page anew."""

MEASURED: Final = f"nightjar benchmark taxonomy --mnist … --cifar10 … --out {RESULTS}"
"""Measures what it shows at last."""

TEACHINGS: Final = ("supervision", "needs", "methods", "learns from")
BUILDS: Final = ("network", "poolings", "options", "is")
POOLS: Final = ("pooling", "options", "is", "after")
STORED: Final = ("descriptor", "compared by", "stores")
MATRIX: Final = ("supervision", "network", *(str(word) for word in DescriptorType))
WAYS: Final = (
    "supervision",
    "method",
    "descriptors",
    "steps",
    "temperature",
    "margin",
    "does",
    "after",
)


def teachings() -> list[list[Any]]:
    """The supervisions as lines under `TEACHINGS`."""
    return [
        [word, ", ".join(sorted(one.needs)) or "pictures", ", ".join(one.methods), one.about]
        for word, one in SUPERVISIONS.items()
    ]


def ways() -> list[list[Any]]:
    """The methods of all supervisions as lines under `WAYS`."""
    return [
        [word, name, ", ".join(way.descriptors), _steps(way.batches, way.closed_form),
         _temperature(way), _number(way.margin), way.about, way.cite]
        for word, one in SUPERVISIONS.items()
        for name, way in one.methods.items()
    ]  # fmt: skip


def builds() -> list[list[Any]]:
    """The networks as lines under `BUILDS`."""
    return [
        [word, ", ".join(one.poolings), ", ".join(one.options.model_fields), one.about]
        for word, one in NETWORKS.items()
    ]


def pools() -> list[list[Any]]:
    """The aggregations as lines under `POOLS`."""
    return [
        [word, ", ".join(_options(one.options)), one.about, one.cite]
        for word, one in AGGREGATIONS.items()
    ]


def stored() -> list[list[Any]]:
    """The descriptors as lines under `STORED`."""
    return [
        [word, kind.metric, (kind.__doc__ or "").splitlines()[0]]
        for word, kind in DESCRIPTORS.items()
    ] + [["real_valued or aggregated, storage: pq", *_of_codes()]]


def _of_codes() -> list[str]:
    """By what product-quantised rows are compared, and what they are."""
    return [
        f"{Quantised.metric} with what the codes stand for",
        (Quantised.__doc__ or "").splitlines()[0],
    ]


def matrix() -> list[list[Any]]:
    """What goes together, as lines under `MATRIX`: the default method, or a dash."""
    return [
        [supervision, network, *(_default(supervision, network, word) for word in DescriptorType)]
        for supervision in SUPERVISIONS
        for network in NETWORKS
    ]


def facts() -> dict[str, Any]:
    """All of it, for machines; under "composes" also why not, where something does not."""
    return {
        "supervisions": {
            word: {
                "about": one.about,
                "needs": sorted(one.needs),
                "uses": sorted(one.needs | one.optional),
                "knows_alike": one.alike,
                "datasets": [
                    name
                    for name, adapter in sorted(DATASETS.items())
                    if not one.missing(adapter.card.annotations)
                ],
                "methods": {
                    name: {
                        "about": way.about,
                        "cite": way.cite,
                        "descriptors": list(way.descriptors),
                        "batches": way.batches,
                        "closed_form": way.closed_form,
                        "reads": way.reads,
                        "anchors": way.anchors,
                        "temperature": way.temperature,
                        "margin": way.margin,
                    }
                    for name, way in one.methods.items()
                },
            }
            for word, one in SUPERVISIONS.items()
        },
        "networks": {
            word: {
                "about": one.about,
                "cite": one.cite,
                "asks_alike": one.alike,
                "poolings": list(one.poolings),
                "options": one.options.model_json_schema().get("properties", {}),
            }
            for word, one in NETWORKS.items()
        },
        "poolings": {
            word: {
                "about": one.about,
                "cite": one.cite,
                "options": {
                    name: field
                    for name, field in one.options.model_json_schema()["properties"].items()
                    if name in _options(one.options)
                },
            }
            for word, one in AGGREGATIONS.items()
        },
        "descriptors": {
            word: {"about": about, "metric": metric} for word, metric, about in stored()[:-1]
        },
        "storages": {"pq": dict(zip(("metric", "about"), _of_codes(), strict=True))},
        "retrievals": kinds.facts(),
        "composes": [
            {
                "supervision": supervision,
                "network": network,
                "descriptor": descriptor,
                **_verdict(supervision, network, descriptor),
            }
            for supervision in SUPERVISIONS
            for network in NETWORKS
            for descriptor in DescriptorType
        ],
    }


def page(measured: Mapping[str, Any] | None = None) -> str:
    """The page docs/methods.md, with what `nightjar benchmark` has MEASURED where there is some."""
    return (
        "\n\n".join(
            [
                "# Methods",
                f"Written by `{COMMAND}` from the tables in `models/`: change those, not this.",
                "An encoder is a network that a supervision teaches to make a descriptor. All that "
                "goes together trains from one recipe (`train: {supervision, method, network, "
                "descriptor}`); what does not is refused when the recipe is read, with what would "
                "do.",
                "## Supervisions",
                _markdown(TEACHINGS, teachings()),
                "## Their methods",
                "Of the methods that suit a descriptor the first is the default. Temperature and "
                "margin are those of the loss where a recipe names none; a dash says that it has "
                "none, and a recipe that names one is refused.",
                _markdown(WAYS, ways()),
                "## Networks",
                _markdown(BUILDS, builds()),
                "## Poolings",
                "How the maps of a network become one vector (`train: {pooling: rmac, "
                "pooling_options: {rmac: {whiten: true}}}`). Joined by `+` they stand side by "
                "side, each with a `share` in the cosine; asmk stands alone, and makes aggregated "
                "descriptors only. What is not learned, visual words and whitenings, is found from "
                "the pictures of the training and kept with the weights.",
                _markdown(POOLS, pools()),
                "## Descriptors",
                _markdown(STORED, stored()),
                "## What goes together",
                "The method that is taken where a recipe names none; a dash where there is none.",
                _markdown(MATRIX, matrix()),
                "## Kinds of retrieval",
                "What an index is for (`retrieval: instance` in a recipe): a way to ask, which "
                "answers are right, and the measure of it where a recipe names no protocol. A "
                "dash says that there is nothing yet, and *not yet* says why. "
                "[How to ask](retrieval.md).",
                _markdown(kinds.PAGE, kinds.lines()),
                *(_measured(measured) if measured is not None else ()),
            ]
        )
        + "\n"
    )


def _measured(kept: Mapping[str, Any]) -> list[str]:
    """What `nightjar benchmark taxonomy --out` wrote, as a section of the page."""
    from flows.benchmark import HEAD, Outcome, table
    from flows.contest import FLOORS, ROWS

    outcomes = [Outcome.of(one) for one in kept["outcomes"]]
    settings = ", ".join(f"{name} {value}" for name, value in kept["settings"].items())
    return [
        "## What came of it",
        f"By `{MEASURED}`, budget {kept['budget']} ({settings}), at most {kept['queries']:,} "
        "queries. Each row is a whole night of its recipe, and so is what it is held against; "
        "values are means over seeds, and where there are several, from where to where they go. A "
        "row that does not beat what it must is here like the others.",
        _markdown(HEAD, table(outcomes)),
        "What each row trains, as a recipe's `train` says it, and in what that differs which it is "
        "held against. *Untrained* is the same encoder as its weights are drawn, *pixels* the "
        "colours themselves, rotated to as many bits (itq) or cut to as many numbers (pca).",
        _markdown(
            ("axis", "word", "trains", "held against"),
            (
                (
                    row.axis,
                    row.word,
                    f"`{_words(row.train)}`",
                    "; ".join(
                        f"{name} `{_words(row.changes(name))}`"
                        for name in row.against
                        if name not in FLOORS
                    ),
                )
                for row in ROWS
            ),
        ),
    ]


def _words(said: Mapping[str, Any]) -> str:
    """What is SAID, as a recipe says it on a line."""
    return ", ".join(
        f"{name}: {{{_words(value)}}}" if isinstance(value, dict) else f"{name}: {value}"
        for name, value in said.items()
    )


def _verdict(
    supervision: Supervision, network: Network, descriptor: DescriptorType
) -> dict[str, Any]:
    try:
        return {"method": check(supervision, network, descriptor), "why_not": ""}
    except ValueError as error:
        return {"method": None, "why_not": str(error)}


def _default(supervision: Supervision, network: Network, descriptor: DescriptorType) -> str:
    return _verdict(supervision, network, descriptor)["method"] or "-"


def _options(kind: type[Plan]) -> list[str]:
    """What a recipe may say of an aggregation alone."""
    return [name for name in kind.model_fields if name != "share"]


def _steps(batches: str, closed_form: bool) -> str:
    return "none: found in closed form" if closed_form else batches


def _temperature(way: Method) -> str:
    """Of the loss of WAY; at anchors that of OrthoHash, or of ArcFace where no bits are kept."""
    if not way.anchors:
        return _number(way.temperature)
    bits, numbers = (_number(LABELS[word].temperature) for word in ("orthohash", "arcface"))
    return f"{bits} binary, else {numbers}"


def _number(constant: float | None) -> str:
    return "-" if constant is None else f"{constant:.4g}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line).replace("\n", " ") + " |" for line in lines)
