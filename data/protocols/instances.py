"""Protocols in which one thing is what counts: landmarks, products, copies, captions, sketches."""

from collections.abc import Mapping
from typing import Final

from data.protocols.base import Pick, Protocol

TRAIN: Final = Pick(splits=("train",))
TEST: Final = Pick(splits=("test",))
INDEX: Final = Pick(splits=("index",))
QUERY: Final = Pick(splits=("query",))
SKETCH: Final = (
    "Yu, Liu, Song, Xiang, Hospedales, Loy, Sketch Me That Shoe, CVPR 2016, whose measure this is, "
    "on the pairs of Isola, Zhu, Zhou, Efros, CVPR 2017"
)

GLDV2: Final = "Weyand, Araujo, Cao, Sim, Google Landmarks Dataset v2, CVPR 2020"
REVISITED: Final = (
    "Radenovic, Iscen, Tolias, Avrithis, Chum, Revisiting Oxford and Paris, CVPR 2018, "
    "github.com/filipradenovic/revisitop"
)


LEVELS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "easy": (("easy",), ("hard", "junk")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("easy", "junk")),
}
"""What answers a query at each level, and what is junk there."""


def revisited(dataset: str, level: str, pictures: int) -> Protocol:
    """Oxford or Paris, revisited, with the truth of LEVEL and PICTURES in the database."""
    answers, junk = LEVELS[level]
    return Protocol(
        dataset=dataset,
        queries=QUERY,
        database=INDEX,
        relevance="listed",
        metric="map_roxf[trapz]",
        also=("mp@10",),
        defined=REVISITED,
        note=f"Level {level}: what it does not ask for is junk and leaves the ranking before it is "
        "measured. Queries without an answer are skipped.",
        answers=answers,
        junk=junk,
        crop=True,
        sizes=(70, pictures, 0),
    )


def coco_objects(per_image: bool) -> Protocol:
    """Boxes of COCO's validation pictures ask, boxes of its training pictures answer."""
    answer = "of its kind is right"
    return Protocol(
        dataset="coco",
        queries=Pick(splits=("val",), labels="some"),
        database=TRAIN,
        train=TRAIN,
        relevance="same_label",
        metric="map@100[min]",
        also=("cmc@1", "p@10"),
        defined="Ours: boxes, kinds and splits of Lin et al., Microsoft COCO, ECCV 2014, put to "
        "retrieval as we do; no paper that we know measures by it",
        note=(
            f"A picture that shows an object {answer}, and is as near as the nearest of its boxes."
            if per_image
            else f"A box {answer}. No picture is in both splits, so no query finds its own."
        )
        + " Crowds and boxes under the source's least side neither ask nor answer.",
        objects="boxes",
        per_image=per_image,
    )


def unseen(dataset: str, cutoffs: tuple[int, ...], test: int, train: int, note: str) -> Protocol:
    """Metric learning: the classes of the TEST pictures are not among those of TRAIN."""
    return Protocol(
        dataset=dataset,
        queries=TEST,
        database=TEST,
        train=TRAIN,
        relevance="same_label",
        metric="cmc@1",
        also=(*(f"cmc@{k}" for k in cutoffs), "map_at_r"),
        own="left_out",
        defined="Oh Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured "
        "Feature Embedding, CVPR 2016",
        note=note,
        sizes=(test, test, train),
    )


INSTANCES: Final[Mapping[str, Protocol]] = {
    "coco-objects": coco_objects(per_image=False),
    "coco-objects-images": coco_objects(per_image=True),
    "gldv2-retrieval": Protocol(
        dataset="gldv2",
        queries=TEST,
        database=INDEX,
        train=TRAIN,
        relevance="listed",
        answers=("answer",),
        metric="map@100[min]",
        defined=GLDV2,
        note="Truth of version 2.1. 1,129 of the 117,577 queries have an answer and are scored.",
        sizes=(1_129, 761_757, 4_132_914),
    ),
    "gldv2-recognition": Protocol(
        dataset="gldv2",
        queries=TEST,
        database=TRAIN,
        train=TRAIN,
        relevance="shared_label",
        metric="gap",
        defined=GLDV2,
        note="The labels of a test picture are the landmarks that the truth of version 2.1 lists. "
        "Queries without a landmark lower it too: a guess costs.",
        sizes=(117_577, 4_132_914, 4_132_914),
    ),
    "gldv1-retrieval": Protocol(
        dataset="gldv1",
        queries=TEST,
        database=INDEX,
        train=TRAIN,
        relevance="listed",
        answers=("answer",),
        metric="map@100[min]",
        defined="Noh, Araujo, Sim, Weyand, Han, DELF, ICCV 2017; the Kaggle challenge of 2018",
        note="The pictures are no longer handed out; a number says how many of them were there.",
        sizes=(117_703, 1_098_461, 1_225_029),
    ),
    "roxford5k-easy": revisited("roxford5k", "easy", 4_993),
    "roxford5k-medium": revisited("roxford5k", "medium", 4_993),
    "roxford5k-hard": revisited("roxford5k", "hard", 4_993),
    "rparis6k-easy": revisited("rparis6k", "easy", 6_322),
    "rparis6k-medium": revisited("rparis6k", "medium", 6_322),
    "rparis6k-hard": revisited("rparis6k", "hard", 6_322),
    "ukbench": Protocol(
        dataset="ukbench",
        queries=Pick(),
        database=Pick(),
        relevance="same_label",
        metric="ns_score",
        defined="Nister and Stewenius, Scalable Recognition with a Vocabulary Tree, CVPR 2006",
        note="Right answers among the first four, the query itself among them: from 0 to 4.",
        own="counted",
        sizes=(10_200, 10_200, 0),
    ),
    "mirflickr1m-mfnd": Protocol(
        dataset="mirflickr1m",
        queries=Pick(labels="some"),
        database=Pick(),
        relevance="same_label",
        metric="map[all]",
        defined="Connor, MacKenzie-Leigh, Cardillo, Moss, Identification of MIR-Flickr "
        "Near-duplicate Images, VISAPP 2015, mfnd.similarity.eu",
        own="left_out",
    ),
    "cub200": unseen("cub200", (2, 4, 8), 5_924, 5_864, "The first 100 of 200 species teach."),
    "cars196": unseen("cars196", (2, 4, 8), 8_131, 8_054, "The first 98 of 196 models teach."),
    "sop": unseen("sop", (10, 100, 1000), 60_502, 59_551, "11,318 of 22,634 products teach."),
    "inshop": Protocol(
        dataset="inshop",
        queries=QUERY,
        database=Pick(splits=("gallery",)),
        train=TRAIN,
        relevance="same_label",
        metric="cmc@1",
        also=("cmc@10", "cmc@20", "cmc@30"),
        defined="Liu, Luo, Qiu, Wang, Tang, DeepFashion, CVPR 2016",
        sizes=(14_218, 12_612, 25_882),
    ),
    "coco-karpathy": Protocol(
        dataset="coco",
        queries=TEST,
        database=TEST,
        train=TRAIN,
        relevance="caption",
        metric="cmc@1[text-to-image]",
        also=("cmc@5[text-to-image]", "cmc@10[text-to-image]", "cmc@1[image-to-text]"),
        defined="Karpathy and Fei-Fei, Deep Visual-Semantic Alignments, CVPR 2015: its "
        "dataset_coco.json",
        note="5K is all 5,000 pictures with their first five captions; 1K is the mean of five "
        "folds of 1,000, and some twenty points higher.",
        lists="karpathy",
        own="counted",
        sizes=(5_000, 5_000, 113_287),
    ),
    "flickr8k": Protocol(
        dataset="flickr8k",
        queries=TEST,
        database=TEST,
        train=TRAIN,
        relevance="caption",
        metric="cmc@1[text-to-image]",
        also=("cmc@5[text-to-image]", "cmc@10[text-to-image]", "cmc@1[image-to-text]"),
        defined="Hodosh, Young, Hockenmaier, Framing Image Description as a Ranking Task, "
        "JAIR 2013",
        own="counted",
        sizes=(1_000, 1_000, 6_000),
    ),
    "clickture-dev": Protocol(
        dataset="clickture",
        queries=Pick(splits=("dev",)),
        database=Pick(splits=("dev",)),
        train=TRAIN,
        relevance="judged",
        metric="dcg@25[icme]",
        defined="Hua et al., Clickage, ACM MM 2013; the MSR-Bing Grand Challenge of ICME 2014",
        note="0.01757 times the sum of (2**rel - 1) / log2(i + 1), rel 3, 2, 0. Queries are words.",
        own="counted",
    ),
    "sketchy": Protocol(
        dataset="sketchy",
        queries=Pick(splits=("sketch-test",)),
        database=Pick(splits=("photo-test",)),
        train=Pick(splits=("sketch-train", "photo-train")),
        relevance="same_label",
        metric="map[all]",
        also=("map@200[hits]", "p@100", "cmc@1[same-pair]"),
        defined="Sangkloy, Burnell, Ham, Hays, The Sketchy Database, SIGGRAPH 2016",
    ),
    "qmul-chairs": Protocol(
        dataset="qmul-chairs",
        queries=Pick(splits=("sketch-test",)),
        database=Pick(splits=("photo-test",)),
        train=Pick(splits=("sketch-train", "photo-train")),
        relevance="same_pair",
        metric="cmc@1",
        also=("cmc@10",),
        defined="Yu, Liu, Song, Xiang, Hospedales, Loy, Sketch Me That Shoe, CVPR 2016",
        sizes=(97, 97, 400),
    ),
    "pix2pix-edges2shoes": Protocol(
        dataset="pix2pix",
        queries=Pick(splits=("sketch-val",)),
        database=Pick(splits=("photo-val",)),
        train=Pick(splits=("sketch-train", "photo-train")),
        relevance="same_pair",
        metric="cmc@1",
        also=("cmc@10",),
        defined=SKETCH,
        note="The drawings were made from these very photographs by a machine: edges that are "
        "found alike find most of them.",
        sizes=(200, 200, 99_650),
    ),
    "pix2pix-unseen": Protocol(
        dataset="pix2pix",
        queries=Pick(splits=("sketch-val",), labels="unseen"),
        database=Pick(splits=("photo-val",), labels="unseen"),
        train=Pick(splits=("sketch-val", "photo-val"), labels="seen"),
        relevance="same_pair",
        metric="cmc@1",
        also=("cmc@10",),
        defined=SKETCH,
        note="For those who have val and no train: of its pairs half teach, drawn from the seed, "
        "and the others ask.",
        seen=0.5,
    ),
}
