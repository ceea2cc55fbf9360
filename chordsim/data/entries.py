"""The catalogue: which data sets there are, under which names they lie, and who gives them out.

No data set is shipped: each comes from its own source, under its own terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chordsim.data.sniff import Format
from chordsim.data.wheel import WheelCopy

_MIB = 1 << 20


@dataclass(frozen=True)
class Copy:
    """One form in which a data set may lie in a folder.

    Attributes:
        path: Relative to CHORDSIM_DATA or the cache.
        format: Of the file (of the member, if ``path`` is an archive).
        sha256: Of the uncompressed content; None where no trustworthy figure is known.
        member: The file's name inside a zip archive.
        archive: Digests of the archive itself.
    """

    path: str
    format: Format
    sha256: str | None = None
    member: str | None = None
    archive: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Publisher:
    """A direct download.

    Attributes:
        url: Of the archive.
        copy: What the archive becomes in the cache, with its digests.
        max_bytes: The most to download.
    """

    url: str
    copy: Copy
    max_bytes: int = 64 * _MIB


@dataclass(frozen=True)
class Entry:
    """A data set by name.

    Attributes:
        name: In `data.source`.
        summary: One line for a person.
        terms: What its owners allow, in short.
        source: Where a person gets it.
        copies: Forms that are found in CHORDSIM_DATA and the cache, in this order.
        publisher: Direct download, if there is one.
        wheel: A copy on the package index, if there is one, and what it becomes in the cache.
        min_item: Interactions that an item needs in the usual version of this set.
    """

    name: str
    summary: str
    terms: str
    source: str
    copies: tuple[Copy, ...]
    publisher: Publisher | None = None
    wheel: tuple[WheelCopy, Copy] | None = None
    min_item: int = 1


_MOVIELENS_TERMS = "research use, with acknowledgement; no redistribution and no commercial use without permission"
_AMAZON_TERMS = "offered for research, with a request to cite; no open licence is stated"

_ML_100K_INTER = "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"
_ML_100K_U_DATA = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
_ML_100K_ZIP = Copy(
    "ml-100k.zip",
    "u.data",
    sha256=_ML_100K_U_DATA,
    member="ml-100k/u.data",
    # The publisher gives the md5; the sha256 is of the same archive.
    archive={
        "md5": "0e33842e24a9c977be4e0107933c0723",
        "sha256": "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    },
)
_ML_1M_ZIP = Copy(
    "ml-1m.zip",
    "ratings.dat",
    member="ml-1m/ratings.dat",
    archive={
        "md5": "c4d9eecfca2ab87c1945afe126590906",
        "sha256": "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    },
)

_ENTRIES = (
    Entry(
        name="ml-100k",
        summary="MovieLens 100K: 943 users, 1,682 movies, 100,000 ratings with time stamps",
        terms=_MOVIELENS_TERMS,
        source="https://grouplens.org/datasets/movielens/100k/",
        copies=(
            Copy("ml-100k/ml-100k.inter.gz", "inter", _ML_100K_INTER),
            Copy("ml-100k/ml-100k.inter", "inter", _ML_100K_INTER),
            Copy("ml-100k/u.data", "u.data", _ML_100K_U_DATA),
            _ML_100K_ZIP,
        ),
        publisher=Publisher("https://files.grouplens.org/datasets/movielens/ml-100k.zip", _ML_100K_ZIP),
        wheel=(
            WheelCopy("recbole==1.2.1", "recbole/dataset_example/ml-100k/ml-100k.inter", 8 * _MIB),
            Copy("ml-100k/ml-100k.inter", "inter", _ML_100K_INTER),
        ),
    ),
    Entry(
        name="ml-1m",
        summary="MovieLens 1M: 6,040 users, 1,000,209 ratings; movies with 5 ratings or more, as in published figures",
        terms=_MOVIELENS_TERMS,
        source="https://grouplens.org/datasets/movielens/1m/",
        copies=(
            Copy("ml-1m/ml-1m.txt.gz", "seq", "3b3803d72c034929ada18b2cbd114296261c012b7a3e10282543adeceba53fb1"),
            Copy("ml-1m/ratings.dat", "ratings.dat"),
            _ML_1M_ZIP,
        ),
        publisher=Publisher("https://files.grouplens.org/datasets/movielens/ml-1m.zip", _ML_1M_ZIP),
        min_item=5,
    ),
    Entry(
        name="amazon-beauty",
        summary="Amazon Beauty 1996-2014, BERT4Rec's version: 40,226 users, 54,542 products, 353,962 reviews in order",
        terms=_AMAZON_TERMS,
        source="https://github.com/FeiSun/BERT4Rec (data/beauty.txt)",
        copies=(
            Copy("amazon-beauty/beauty.txt.gz", "pairs", "f480b7a7403852342ffd8f9809bb30697dd669be31813d0e204b698fec86ef49"),
            Copy("amazon-beauty/beauty.txt", "pairs", "f480b7a7403852342ffd8f9809bb30697dd669be31813d0e204b698fec86ef49"),
        ),
    ),
    Entry(
        name="amazon-cds",
        summary="Amazon CDs and Vinyl 1996-2014, HGN's version: 17,052 users, 35,118 products, 472,265 reviews in order",
        terms=_AMAZON_TERMS,
        source="https://github.com/allenjack/HGN (data/dataset/Amazon/CDs, as 'user item_1 ... item_n' lines, ids plus 1)",
        copies=(
            Copy("amazon-cds/CDs.txt.gz", "seq", "2c947dcf3facfe65d0225ba27d710e25a8b53647a6545f55db344d3e71b86259"),
            Copy("amazon-cds/CDs.txt", "seq", "2c947dcf3facfe65d0225ba27d710e25a8b53647a6545f55db344d3e71b86259"),
        ),
    ),
    Entry(
        name="yelp",
        summary="Yelp 2019, S3-Rec's version: 30,431 users, 20,033 businesses, 316,354 reviews in order, with repeats",
        terms="Yelp dataset terms: academic and personal, non-commercial use; no redistribution",
        source="https://github.com/RUCAIBox/CIKM2020-S3Rec (data/Yelp.txt), or https://www.yelp.com/dataset",
        copies=(
            Copy("yelp/Yelp.txt.gz", "seq", "724b219106b81dd2349027da997334ddb6da9fe2f152ad6e0d97a93170f7caed"),
            Copy("yelp/Yelp.txt", "seq", "724b219106b81dd2349027da997334ddb6da9fe2f152ad6e0d97a93170f7caed"),
        ),
    ),
)


def entries() -> dict[str, Entry]:
    """Return the catalogue by name."""
    return {entry.name: entry for entry in _ENTRIES}
