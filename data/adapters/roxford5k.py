"""Oxford, revisited: the buildings of Oxford, with the truth of 2018."""

from data.adapters.card import Card, Source
from data.adapters.revisited import Revisited
from data.taxonomy import Retrieval

GND = "http://cmp.felk.cvut.cz/revisitop/data/datasets/roxford5k"


class Roxford5k(Revisited):
    """70 queries by box and 4,993 pictures; all else is as `Revisited` says."""

    card = Card(
        name="roxford5k",
        about="5,063 photographs of Oxford, 70 of which ask for a building by its box.",
        labels="a query's own name, and the queries that a picture answers at the level of the "
        "options; as tags of a query which pictures are easy, hard or junk for it",
        says=("multi", "answers", "query boxes"),
        retrievals=(Retrieval.INSTANCE, Retrieval.OBJECT),
        cite="Radenovic, Iscen, Tolias, Avrithis, Chum, Revisiting Oxford and Paris: Large-Scale "
        "Image Retrieval Benchmarking, CVPR 2018; pictures: Philbin, Chum, Isard, Sivic, "
        "Zisserman, Object Retrieval with Large Vocabularies and Fast Spatial Matching, CVPR 2007",
        home="https://github.com/filipradenovic/revisitop",
        licence="none stated for the truth; pictures: each photographer's own, from Flickr",
        access="open",
        splits={"query": 70, "index": 4_993},
        sources=(
            Source(url=f"{GND}/gnd_roxford5k.mat", holds="truth", form="mat"),
            Source(url=f"{GND}/gnd_roxford5k.pkl", holds="truth", form="pickle"),
            Source(
                url="https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/oxbuild_images-v1.tgz",
                holds="pictures",
            ),
        ),
        layout="gnd_roxford5k.mat or .pkl in the root, beside it the folder jpg or the archive as "
        "it was downloaded.",
        marks=("gnd_roxford5k.*",),
        verified="miniature",
        proof="A truth that the tests write, as MATLAB file and as pickle, with pictures in a "
        "folder, a tar and a packed tar.",
        traps=(
            "A query is what its box shows, not the whole picture.",
            "The MATLAB file counts pictures from 1, the pickle from 0.",
            "The truth is a pickle: it is read without running anything, or refused.",
            "Queries are no part of the index, as they were in Oxford 5k of 2007.",
            "What is hard at one level is junk at another: labels follow the option level, and "
            "junk has to leave a ranking before it is measured.",
        ),
    )
