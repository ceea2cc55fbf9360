"""Names of what settings choose among in nets, for whoever checks settings without loading torch."""

from __future__ import annotations

#: Feature extractors (`chordsim.nets.extractor`).
EXTRACTORS = ("mean", "gru")
#: Laws that frozen weights are drawn from: normal, or a constant with a random sign (Ramanujan et al. 2020).
LAWS = ("gaussian", "signed")
