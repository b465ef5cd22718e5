"""An index version put to a protocol of captions: sentences ask for pictures, pictures for words.

Text to image, each sentence of a picture that asks looks for that picture among the descriptors of
the database. Image to text, each picture that asks looks for one of its own sentences among those
of the database's pictures. Both are read by the tower for text of the index's own encoder.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.aliases import Pointer
from data.indexes import VECTOR, asks_anew, codes_of, encoder_of, index_table, metric_of
from data.probing import Probing
from data.relevance import own_answers
from data.store import Store
from models.measures import Measure, measure
from tasks.codebooks import rows_of
from tasks.measuring.captions import Caption, Captions, captions
from tasks.measuring.depth import Depth, Rows, depth
from tasks.measuring.made import Load, asking_with, read
from tasks.measuring.named import served_recall
from tasks.measuring.plan import EvaluatePlan
from tasks.measuring.queries import Array, fingerprints
from tasks.measuring.ranking import ANN_RECALL, TOP, Ranked
from tasks.measuring.scores import Asked, Each, Scores, scores_of
from tasks.measuring.sets import sizes_note


def measured(
    store: Store,
    place: tuple[str, int],
    version: int,
    production: Pointer | None,
    dataset: str,
    plan: EvaluatePlan,
    load: Load,
    started: float,
    beside: Sequence[str] | None = None,
    probing: Probing | None = None,
) -> Scores:
    """How well the index version PLACE searches by captions, as PLAN says, and PRODUCTION.

    The arguments are those of `tasks.measuring.named.measured`; of what is asked BESIDE, measures
    that no sentence has a part in are passed over. What cannot be asked is said in the notes: a
    production whose encoder has no tower for text among it.
    """
    protocol = plan.named
    if protocol is None:
        raise ValueError(f"{plan.name} is no named protocol.")
    nothing = Scores(plan.title, protocol.metric, {}, against=str(production or ""))
    try:
        asked = captions(store, dataset, version, plan.name, protocol, plan.queries)
        ours = _Version(store, dataset, place, asked, load, probing)
    except ValueError as error:  # a gate holds what could not be computed
        return replace(nothing, notes=(f"{plan.name} could not be asked: {error}",))
    versions, notes = [ours], []
    if production:
        try:
            versions.append(
                _Version(store, dataset, production.place, asked, load, production.probing)
            )
        except (FileNotFoundError, ValueError) as error:
            notes.append(f"Production could not be asked: {error}")
    names = dict.fromkeys((*protocol.measures, *plan.measures, *(beside or ())))
    measures = [one for one in map(measure, names) if one.kind.way]
    headline = measure(protocol.metric)
    both = set.intersection(*(set(one.places) for one in versions))
    ranked = [_ranked(one, measures, headline, both) for one in versions]
    queries = [text for _, text in asked.asking]
    if headline.kind.way == "image-to-text":
        queries = asked.pictures
    told = Asked(
        plan.title, protocol.metric, queries, plan.examples, sum(one.embedded for one in versions)
    )
    scores = scores_of(told, ranked, production, notes, started)
    notes += _differences(plan, asked, ours, scores)
    each = None
    if beside is not None:
        each = Each(tuple(queries), tuple(_one_way(one, headline) for one in ranked))
    return replace(scores, notes=tuple(notes), sets=asked.kept, sets_digest=asked.digest, each=each)


def _one_way(ranked: Ranked, headline: Measure) -> Ranked:
    """RANKED without the measures of other queries than the HEADLINE's."""
    ways = {name: measure(name).kind.way for name in ranked.values if name != ANN_RECALL}
    kept = {
        name: of
        for name, of in ranked.values.items()
        if ways.get(name, headline.kind.way) == headline.kind.way
    }
    return replace(ranked, values=kept)


class _Version:
    """What an index version holds of the pictures that are asked about, and how it reads.

    Args:
        store: where it lies.
        dataset: the dataset's name.
        place: table and version.
        asked: what is asked.
        load: gives its encoder.
        probing: how its ANN index is asked, where that was tuned.

    Raises:
        FileNotFoundError: it is not there.
        NoText: its encoder has no tower for text.
        ValueError: it holds no picture that answers.
    """

    def __init__(
        self,
        store: Store,
        dataset: str,
        place: tuple[str, int],
        asked: Captions,
        load: Load,
        probing: Probing | None,
    ) -> None:
        self.asked, self.probing = asked, probing
        self.dataset: lance.LanceDataset = index_table(store, place[0]).open(place[1])
        self.bits = metric_of(self.dataset.schema) == "hamming"
        embedder = load(store, encoder_of(self.dataset.schema))
        self.read, self.embedded = read(store, asked.texts, embedder)
        wanted = pa.array(sorted({*asked.database, *asked.pictures}), pa.string())
        self.places: dict[str, int] = {}
        vectors, images, digests = [], [np.empty(0, np.uint64)], []
        for batch in self.dataset.scanner(["key", "digest", VECTOR], batch_size=8192).to_batches():
            mine = batch.filter(pc.is_in(batch["key"], value_set=wanted))
            if len(mine):
                start = len(self.places)
                self.places |= {key: start + n for n, key in enumerate(mine["key"].to_pylist())}
                vectors.append(rows_of(self.dataset, mine[VECTOR]))
                images.append(fingerprints(mine["digest"]))
                digests += mine["digest"].to_pylist()
        self.database = [key for key in asked.database if key in self.places]
        if not self.database:
            raise ValueError("no picture of its database is in the index.")
        self.vectors, self.images = np.concatenate(vectors), np.concatenate(images)
        self.asking = self.vectors
        schema = self.dataset.schema
        if asks_anew(schema):
            name, codes = encoder_of(schema), codes_of(schema)
            made, fresh = asking_with(store, dataset, digests, name, codes, load)
            self.asking = np.stack([made[digest] for digest in digests])
            self.embedded += fresh

    def of(self, keys: Sequence[str]) -> Array:
        """The places of the pictures of KEYS."""
        return np.array([self.places[key] for key in keys], np.int64)

    def reading(self, some: Sequence[Caption]) -> Array:
        """The descriptors of SOME sentences, as they are stored."""
        return np.stack([self.read[text] for _, text in some])

    def texts_ask(self, measures: Sequence[Measure], among: set[str]) -> tuple[Depth, list[str]]:
        """What the sentences find of the pictures AMONG, and the keys of these."""
        keys = [key for key in self.database if key in among]
        found = self._depth(
            keys,
            self.vectors[self.of(keys)],
            self.images[self.of(keys)],
            self.reading(self.asked.asking),
            [(key,) for key, _ in self.asked.asking],
            measures,
        )
        return found, keys

    def pictures_ask(self, measures: Sequence[Measure], among: set[str]) -> tuple[Depth, list[str]]:
        """What the pictures AMONG find of the sentences, and these; NaN of the other pictures."""
        said = self.asked.answering
        names = [f"{key}: {text}" for key, text in said]
        own: dict[str, list[str]] = {}
        for (key, _), name in zip(said, names, strict=True):
            own.setdefault(key, []).append(name)
        there = [n for n, key in enumerate(self.asked.pictures) if key in among]
        pictures = [self.asked.pictures[n] for n in there]
        hashes = [hashlib.sha256(name.encode()).hexdigest() for name in names]
        found = self._depth(
            names,
            self.reading(said),
            fingerprints(pa.array(hashes, pa.string())),
            self.asking[self.of(pictures)],
            [tuple(own.get(key, ())) for key in pictures],
            measures,
        )
        values = {name: np.full(len(self.asked.pictures), np.nan) for name in found.values}
        for name, value in found.values.items():
            values[name][there] = value
        answers = np.full((len(self.asked.pictures), TOP), -1)
        right = np.zeros(answers.shape, bool)
        answers[there], right[there] = found.answers, found.right
        return Depth(values, answers, right), names

    def _depth(
        self,
        names: list[str],
        rows: Array,
        images: Array,
        queries: Array,
        answers: Sequence[tuple[str, ...]],
        measures: Sequence[Measure],
    ) -> Depth:
        """The MEASURES of QUERIES among ROWS, whose NAMES are in the ANSWERS of a query."""
        if not len(queries) or not names:
            nothing, shape = np.full(len(queries), np.nan), (len(queries), TOP)
            values = {one.name: nothing for one in measures}
            return Depth(values, np.full(shape, -1), np.zeros(shape, bool))
        held = Rows(len(rows), rows.shape[1], 8 * rows.shape[1] if self.bits else 0)
        held.add(rows)
        judged = own_answers(answers).among(pa.array(names, pa.string()), pa.array([]))
        return depth(held, images, queries, judged, measures)


def _ranked(
    version: _Version, measures: Sequence[Measure], headline: Measure, both: set[str]
) -> Ranked:
    """What VERSION answers, by all MEASURES; the HEADLINE also among the pictures of BOTH."""
    ways = {"text-to-image": version.texts_ask, "image-to-text": version.pictures_ask}
    values: dict[str, Array] = {}
    for way, asks in ways.items():
        if mine := [one for one in measures if one.kind.way == way]:
            found, rows = asks(mine, set(version.places))
            values |= found.values
            if way == headline.kind.way:
                whole, names = found, rows
                shared = asks([headline], both)[0].values
    served = served_recall(version.dataset, version.probing)
    values[ANN_RECALL] = np.full(len(whole.answers), served)
    numbers = np.unique(whole.answers[whole.answers >= 0]).tolist()
    keys = {row: names[row] for row in numbers}
    return Ranked(values, shared, whole.answers, keys, whole.right)


def _differences(plan: EvaluatePlan, asked: Captions, ours: _Version, scores: Scores) -> list[str]:
    """In what these numbers differ from those of the protocol as it is stated."""
    notes = []
    if plan.queries is not None:
        notes.append(
            f"At most {plan.queries:,} sentences of {plan.name} and {plan.queries:,} pictures "
            "asked, for the recipe says evaluate.queries."
        )
    if lost := len(asked.database) - len(ours.database):
        notes.append(f"{lost:,} pictures of the database of {plan.name} are not in the index.")
    if note := sizes_note(plan.name, asked.protocol, asked.sets, scores.queries):
        notes.append(note)
    return notes
