"""The names that columns of interaction logs have in public data sets: one list for every format.

A name is compared without case, and without what is neither letter nor digit: `User-ID`, `user_id` and `userId` are one. A rank of
names stands before the next one: where a file has both `timestamp` and `date`, the first is read. Two names of one rank in one file
are an error that asks which is meant.
"""

from __future__ import annotations

import re

ROLES = ("user", "item", "rating", "timestamp")

_RANKS: dict[str, tuple[str, ...]] = {
    "user": (
        "user userid uid",
        "reviewerid visitorid customerid clientid memberid buyerid consumerid accountid profileid personid steamid playerid "
        "gamerid listenerid viewerid readerid studentid learnerid guestid passengerid patientid reviewuserid userindex useridx "
        "userno usernumber usercode userhash hasheduserid userkey msno",
        "users reviewer visitor customer client member buyer player username",
        "sessionid session",
    ),
    "item": (
        "item itemid iid",
        "parentasin",
        "asin movieid filmid productid prodid bookid isbn businessid gmapid articleid newsid videoid songid trackid artistid "
        "albumid gameid appid animeid recipeid restaurantid venueid locationid locid poiid placeid photoid picid adid skuid sku "
        "goodsid offerid listingid hotelid propertyid jobid courseid postid tweetid docid documentid contentid showid episodeid "
        "podcastid clipid jokeid beerid wineid drugid productproductid itemindex itemidx itemno itemnumber itemcode itemhash "
        "itemkey",
        "items movie film product book business article news video song track artist album game app anime recipe restaurant "
        "venue poi goods listing hotel course",
    ),
    "rating": (
        "rating ratings",
        "score scores stars star overall label bookrating userrating itemrating ratingscore reviewscore reviewoverall preference",
    ),
    "timestamp": (
        "timestamp ts unixtimestamp timestampms timestamps eventtimestamp reviewtimestamp ratingtimestamp unixreviewtime unixtime epoch",
        "time datetime eventtime createdat created createtime creationtime creationdate createdtime reviewtime ratingtime "
        "interactiontime clicktime viewtime watchedat listenedat playedat visitedat purchasedat boughtat orderedat ratedat "
        "reviewedat addedat submittedat publishedat occurredat loggedat happenedat utctime localtime checkintime updatedat when",
        "date tdat dt eventdate reviewdate ratingdate orderdate purchasedate transactiondate visitdate checkindate dateadded",
        "day",
    ),
}

#: By role, names in ranks.
KNOWN = {role: tuple(frozenset(rank.split()) for rank in ranks) for role, ranks in _RANKS.items()}


def plain(name: str) -> str:
    """Return a name as it is compared."""
    return re.sub(r"[\W_]", "", name.casefold())


def candidates(role: str, names: list[str]) -> list[int]:
    """Return the places of the columns of the highest rank that has any."""
    short = [plain(name) for name in names]
    for rank in KNOWN[role]:
        found = [place for place, name in enumerate(short) if name in rank]
        if found:
            return found
    return []
