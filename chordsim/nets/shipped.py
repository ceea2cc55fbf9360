"""The kinds of backbone that ship; a kind of one's own registers a spec just like these."""

from __future__ import annotations

from chordsim.nets.spec import BackboneSpec

SASREC = BackboneSpec("sasrec", "self-attention over the history (Kang and McAuley 2018)", "chordsim.nets.sasrec", attends=True)
CASER = BackboneSpec("caser", "convolutions over the last items (Tang and Wang 2018)", "chordsim.nets.caser")
GRU4REC = BackboneSpec(
    "gru4rec", "a recurrent net over the history (Hidasi et al. 2016)", "chordsim.nets.gru4rec", {"layers": 1}, {"layers": (1, 8)}
)
