"""Paris, revisited: the buildings of Paris, with the truth of 2018."""

from data.adapters.card import Card, Source
from data.adapters.revisited import Revisited
from data.taxonomy import Retrieval

GND = "http://cmp.felk.cvut.cz/revisitop/data/datasets/rparis6k"


class Rparis6k(Revisited):
    """70 queries by box and 6,322 pictures; all else is as `Revisited` says."""

    card = Card(
        name="rparis6k",
        about="6,392 photographs of Paris, 70 of which ask for a building by its box.",
        labels="a query's own name, and the queries that a picture answers at the level of the "
        "options; as tags of a query which pictures are easy, hard or junk for it",
        says=("multi", "answers", "query boxes"),
        retrievals=(Retrieval.INSTANCE, Retrieval.OBJECT),
        cite="Radenovic, Iscen, Tolias, Avrithis, Chum, Revisiting Oxford and Paris: Large-Scale "
        "Image Retrieval Benchmarking, CVPR 2018; pictures: Philbin, Chum, Isard, Sivic, "
        "Zisserman, Lost in Quantization: Improving Particular Object Retrieval in Large Scale "
        "Image Databases, CVPR 2008",
        home="https://github.com/filipradenovic/revisitop",
        licence="none stated for the truth; pictures: each photographer's own, from Flickr",
        access="open",
        splits={"query": 70, "index": 6_322},
        sources=(
            Source(url=f"{GND}/gnd_rparis6k.mat", holds="truth", form="mat"),
            Source(url=f"{GND}/gnd_rparis6k.pkl", holds="truth", form="pickle"),
            *(
                Source(
                    url=f"https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/paris_{part}-v1.tgz",
                    holds="pictures",
                )
                for part in (1, 2)
            ),
        ),
        layout="gnd_rparis6k.mat or .pkl in the root, beside it the folder jpg or the archives as "
        "they were downloaded.",
        marks=("gnd_rparis6k.*",),
        verified="miniature",
        proof="A truth that the tests write, as MATLAB file and as pickle, with pictures in a "
        "folder, a tar and a packed tar; names and boxes of the 55 real queries of Paris 6k.",
        traps=(
            "A query is what its box shows, not the whole picture.",
            "The MATLAB file counts pictures from 1, the pickle from 0.",
            "The truth is a pickle: it is read without running anything, or refused.",
            "Queries are no part of the index, as they were in Paris 6k of 2008.",
            "20 files of the archives are damaged: the truth does not name them, so they are "
            "counted and left out.",
            "What is hard at one level is junk at another: labels follow the option level, and "
            "junk has to leave a ranking before it is measured.",
        ),
    )
