"""Headers and layouts of public data sets, made small: each loads, or one line says which key to set, and with it it loads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from chordsim.config.model import DataConfig
from chordsim.data.load import read_interactions
from chordsim.errors import DataError


@dataclass(frozen=True)
class Style:
    """How a data set is given out, and what is to be read of it.

    Attributes:
        text: A few lines.
        read: (user, item, rating, time) by column; what is not there is left out.
        rows: The first interactions as (user, item), in order of time for each user.
        says: What the error says without keys, where there is one.
        keys: What then mends it.
    """

    text: str
    read: dict[str, object]
    rows: list[tuple[str, str]]
    says: str = ""
    keys: dict[str, object] | None = None


STYLES = {
    "yelp.csv": Style(
        "review_id,user_id,business_id,stars,useful,date\nr,u1,b1,5.0,0,2018-07-07 22:09:11\nr,u1,b2,1.0,2,2012-01-03 15:28:18\n",
        {"user": "user_id", "item": "business_id", "rating": "stars", "timestamp": "date"},
        [("u1", "b2"), ("u1", "b1")],
    ),
    "yelp.json": Style(
        "".join(
            json.dumps({"review_id": "r", "user_id": "u1", "business_id": b, "stars": 4.0, "text": 'it\'s "a" text,', "date": d}) + "\n"
            for b, d in (("b1", "2018-07-07 22:09:11"), ("b2", "2012-01-03 15:28:18"))
        ),
        {"user": "user_id", "item": "business_id", "rating": "stars", "timestamp": "date"},
        [("u1", "b2"), ("u1", "b1")],
    ),
    "goodreads": Style(
        "user_id,book_id,is_read,rating,is_reviewed\n0,948,1,5,0\n0,947,1,5,1\n",
        {"user": "user_id", "item": "book_id", "rating": "rating"},
        [("0", "948"), ("0", "947")],
    ),
    "retailrocket": Style(
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n1433221332111,257597,view,248676,\n",
        {"user": "visitorid", "item": "itemid", "timestamp": "timestamp"},
        [("257597", "248676"), ("257597", "355908")],
    ),
    "h&m": Style(
        't_dat,customer_id,article_id,price,sales_channel_id\n"2018-09-21","0a","0663713001",0.05,2\n"2018-09-20","0a","0541518023",0.03,2\n',
        {"user": "customer_id", "item": "article_id", "timestamp": "t_dat"},
        [("0a", "0541518023"), ("0a", "0663713001")],
    ),
    "kuairec": Style(
        "user_id,video_id,video_duration,time,date,timestamp,watch_ratio\n"
        "0,3649,10867,2020-07-05 00:08:23.438,20200705,1593878903.438,1.27\n0,9598,10984,2020-07-04 00:13:41.297,20200704,1593792821.2,1\n",
        {"user": "user_id", "item": "video_id", "timestamp": "timestamp"},
        [("0", "9598"), ("0", "3649")],
    ),
    "steam-200k": Style(
        '151603712,"Portal",purchase,1.0,0\n151603712,"Portal",play,273.0,0\n59945701,"Left 4 Dead, 2",play,16.4,0\n',
        {"user": 0, "item": 1},
        [("59945701", "Left 4 Dead, 2"), ("151603712", "Portal"), ("151603712", "Portal")],
        "5 columns without a header that is known .*: set data.columns.user and data.columns.item",
        {"user": 0, "item": 1},
    ),
    "hetrec last.fm": Style(
        "userID\tartistID\tweight\n2\t51\t13883\n2\t52\t11690\n",
        {"user": "userID", "item": "artistID"},
        [("2", "51"), ("2", "52")],
    ),
    "hetrec last.fm tags": Style(
        "userID\tartistID\ttagID\ttimestamp\n2\t52\t13\t1238536800000\n2\t51\t15\t1238536700000\n",
        {"user": "userID", "item": "artistID", "timestamp": "timestamp"},
        [("2", "51"), ("2", "52")],
    ),
    "hetrec movielens": Style(
        "userID\tmovieID\trating\tdate_day\tdate_month\n75\t3\t1\t29\t10\n75\t32\t4.5\t29\t10\n",
        {"user": "userID", "item": "movieID", "rating": "rating"},
        [("75", "3"), ("75", "32")],
        "column date_day .* looks like time and is not read: set data.columns.timestamp",
        {"timestamp": "none"},
    ),
    "filmtrust": Style(
        "1 1 2\n1 2 4\n1 3 3.5\n2 4 3\n",
        {"user": 0, "item": 1, "rating": 2},
        [("1", "1"), ("1", "2"), ("1", "3"), ("2", "4")],
    ),
    "amazon 2014": Style(
        "A39HTATAQ9V7YF,0205616461,5.0,1369699200\nA3JM6GV9MNOF9X,0558925278,3.0,1355443200\n",
        {"user": 0, "item": 1, "rating": 2, "timestamp": 3},
        [("A39HTATAQ9V7YF", "0205616461"), ("A3JM6GV9MNOF9X", "0558925278")],
    ),
    "amazon 2014 json": Style(
        '{"reviewerID": "A1", "asin": "13714", "overall": 5.0, "unixReviewTime": 1393545600, "reviewTime": "02 28"}\n'
        '{"reviewerID": "A1", "asin": "13715", "overall": 4.0, "unixReviewTime": 1393545500, "reviewTime": "02 27"}\n',
        {"user": "reviewerID", "item": "asin", "rating": "overall", "timestamp": "unixReviewTime"},
        [("A1", "13715"), ("A1", "13714")],
    ),
    "amazon 2018": Style(
        "0005019281,ALP49FBWT4I7V,5.0,1370304000\n0005119367,ALP49FBWT4I7V,5.0,1370303000\n",
        {"user": 1, "item": 0, "rating": 2, "timestamp": 3},
        [("ALP49FBWT4I7V", "0005119367"), ("ALP49FBWT4I7V", "0005019281")],
        "",
        {"user": 1, "item": 0},
    ),
    "amazon 2023": Style(
        "user_id,parent_asin,rating,timestamp\nAGKH,B07F,5.0,1549866158332\nAGKH,B07G,4.0,1519317108692\n",
        {"user": "user_id", "item": "parent_asin", "rating": "rating", "timestamp": "timestamp"},
        [("AGKH", "B07G"), ("AGKH", "B07F")],
    ),
    "amazon 2023 whole": Style(
        "rating,title,asin,parent_asin,user_id,timestamp,helpful_vote\n5.0,Good,B00A,B00P,AGKH,1588687728923,0\n",
        {"user": "user_id", "item": "parent_asin", "rating": "rating", "timestamp": "timestamp"},
        [("AGKH", "B00P")],
    ),
    "movielens 25m": Style(
        "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n1,306,3.5,1147868817\n",
        {"user": "userId", "item": "movieId", "rating": "rating", "timestamp": "timestamp"},
        [("1", "306"), ("1", "296")],
    ),
    "book-crossing": Style(
        '"User-ID";"ISBN";"Book-Rating"\n"276725";"034545104X";"0"\n"276726";"0155061224";"5"\n',
        {"user": "User-ID", "item": "ISBN", "rating": "Book-Rating"},
        [("276725", "034545104X"), ("276726", "0155061224")],
    ),
    "diginetica": Style(
        "session_id;user_id;item_id;timeframe;eventdate\n1;NA;81766;526309;2016-05-09\n1;NA;31331;1031018;2016-05-08\n",
        {"user": "user_id", "item": "item_id", "timestamp": "eventdate"},
        [("NA", "31331"), ("NA", "81766")],
    ),
    "yoochoose": Style(
        "1,2014-04-07T10:51:09.277Z,214536502,0\n1,2014-04-07T10:50:09.868Z,214536500,0\n",
        {"user": 0, "item": 2, "timestamp": 1},
        [("1", "214536500"), ("1", "214536502")],
        "column 1 .* cannot be the item: set data.columns.user",
        {"user": 0, "item": 2, "timestamp": 1, "rating": "none"},
    ),
    "gowalla": Style(
        "0\t2010-10-19T23:55:27Z\t30.23\t-97.79\t22847\n0\t2010-10-18T22:17:43Z\t30.26\t-97.76\t420315\n",
        {"user": 0, "item": 4, "timestamp": 1},
        [("0", "420315"), ("0", "22847")],
        "5 columns without a header that is known",
        {"user": 0, "item": 4, "timestamp": 1},
    ),
    "pipes": Style(
        "customer|sku|purchased_at\nann|x1|2024-02-01\nann|x2|2024-01-31\n",
        {"user": "customer", "item": "sku", "timestamp": "purchased_at"},
        [("ann", "x2"), ("ann", "x1")],
    ),
    "blanks with a header": Style(
        "user item when\nann x1 5\nann x2 4\n",
        {"user": "user", "item": "item", "timestamp": "when"},
        [("ann", "x2"), ("ann", "x1")],
    ),
    "unknown names": Style(
        "who,what,points,moment\nann,x1,4,1700000000\nann,x2,3,1600000000\n",
        {"user": "who", "item": "what", "rating": "points", "timestamp": "moment"},
        [("ann", "x2"), ("ann", "x1")],
        "none of the columns who, what, points, moment is known as the user: set data.columns.user to one of them",
        {"user": "who", "item": "WHAT", "rating": 2, "timestamp": "moment"},
    ),
}


@pytest.mark.parametrize("name", STYLES)
def test_a_public_layout_loads_or_says_which_key_to_set(tmp_path: Path, name: str) -> None:
    style = STYLES[name]
    path = tmp_path / "log.txt"
    path.write_text(style.text)
    if style.says:
        with pytest.raises(DataError, match=style.says) as caught:
            read_interactions(path)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    config = DataConfig.model_validate({"source": "file", "path": str(path), "columns": style.keys or {}})
    log = read_interactions(path, config=config)
    assert log.source.columns_read == style.read
    users = log.user_tokens[log.rows()].tolist()
    assert list(zip(users, log.item_tokens[log.items].tolist(), strict=True)) == style.rows
    assert (log.timestamps is not None) == ("timestamp" in style.read)


@pytest.mark.parametrize(
    ("text", "keys", "says"),
    [
        ("movie_id,product_id,user\n1,2,3\n", {}, "columns movie_id and product_id could both be the item: set data.columns.item"),
        ("user,item,user\n1,2,3\n", {}, "two columns are named user: set data.columns.user to the position of one"),
        ("user,item\n1,2\n", {"columns": {"user": "usr"}}, "data.columns.user = 'usr': no such column: did you mean 'user'?"),
        ("user,item\n1,2\n", {"columns": {"user": "zzz"}}, "no such column: there are user, item"),
        ("user,item\n1,2\n", {"columns": {"user": 2}}, "data.columns.user = 2: there are 2 columns, 0 to 1"),
        ("user,item\n1,2\n", {"columns": {"user": 1, "item": 1}}, "data.columns.user and data.columns.item both name column item"),
        ("1,2,3,4\n", {"columns": {"user": "who"}, "header": "no"}, "data.columns.user = 'who', but the file has no header"),
        ("ann,bob\ncat,dan\n", {}, 'cannot tell whether ann, bob names the columns: set data.header = "yes" or "no"'),
        ("1 2 3\n2 3\n", {"columns": {"user": 0}, "format": "seq"}, "data.columns: a file of one user a line has no columns"),
        ("1,2,5e7,4\n3,2,5e7,4\n", {}, "no header, and column 2 ('5e7') cannot be the rating"),
        ("user,item,date\n1,2,31.12.2020\n", {}, "line 2: the timestamp '31.12.2020' is not a finite number or an ISO date"),
        ("user,item,date\n1,2,2020-12-31\n1,3,2020-13-31\n", {}, "line 3: the timestamp '2020-13-31' is not an ISO date without a zone"),
        ("user,item,date\n1,2,2020-12-31\n1,3,17\n", {}, "line 3: the timestamp '17' is not an ISO date"),
        ("user,item,time\n1,2,17\n1,3,2020-12-31\n", {}, "line 3: the timestamp '2020-12-31' is not a finite number"),
        ("user,item,time\n1,2,1969-12-31\n", {}, "line 2: the timestamp '1969-12-31' is not plausible"),
        ("7;12;4,5;17\n7;13;3,5;18\n", {}, "line 1: no header, and column 2 ('4,5') cannot be the rating"),
        ("sep=;\nuser;item\n1;2\n", {}, "line 1: a spreadsheet's note of the separator, which is no part of the table"),
        ("# made by hand, in May\nuser,item\n1,2\n", {}, "line 1: a comment, which is no part of the table: leave such lines out"),
        ("% bip unweighted\n1 2\n", {}, "line 1: a comment"),
        ('[{"user": 1}]\n', {}, "a JSON array; write JSON lines"),
        ('{"user": 1, "item": 2}\n{"user": 1\n', {}, "line 2: not JSON"),
        ('{"user": 1, "item": 2}\n{"user": 1}\n', {}, "line 2: the item id is empty"),
        ('{"user": 1, "item": 2}\n\n{"user": 1, "item": [3]}\n', {}, "line 3: the item '[3]' is neither a text nor a number"),
        (
            '{"user": 1, "item": 2}\n{"user": 99999999999999999999, "item": 3}\n',
            {},
            "line 2: the user id 99999999999999999999 does not fit",
        ),
    ],
)
def test_what_is_not_clear_is_refused_in_one_line(tmp_path: Path, text: str, keys: dict[str, object], says: str) -> None:
    path = tmp_path / "log.txt"
    path.write_text(text)
    config = DataConfig.model_validate({"source": "file", "path": str(path), **keys})
    with pytest.raises(DataError) as caught:
        read_interactions(path, config.format, config=config)
    assert says in str(caught.value) and str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("user", ["#a1", "%7", "//x"])
def test_an_id_that_begins_like_a_comment_is_an_id(tmp_path: Path, user: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"{user},12,5\n{user},13,4\nb,12,3\n")
    assert set(read_interactions(path).user_tokens) == {user, "b"}


def test_a_header_can_be_said_to_be_there_or_not(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("ann,bob\ncat,dan\n")

    def rows(**keys: object) -> list[str]:
        return sorted(
            read_interactions(path, config=DataConfig.model_validate({"source": "file", "path": str(path), **keys})).user_tokens.tolist()
        )

    assert rows(header="no") == ["ann", "cat"]
    assert rows(header="yes", columns={"user": 0, "item": 1}) == ["cat"]
    assert rows(columns={"user": "ann", "item": "bob"}) == ["cat"], "a key that names a column says that there are names"
