"""What `protocol.ranking = "candidates"` costs: each session the cloud sends a phone its list, with the items' embeddings.

The message is of one length for a catalogue and a backbone, and all methods that rank on the phone get the same one, so it is
charged from its length, as the bootstrap is, and never moved in the simulator: the evaluator makes the same list where it
ranks (`chordsim.data.retriever`), and every phone owns the rows already. A method whose exchange has candidates of its own is
charged those alone.
"""

from __future__ import annotations

from chordsim.config.model import BackboneConfig, Scenario
from chordsim.data.retriever import CANDIDATES
from chordsim.methods import DOWN_CANDIDATES, MethodSpec
from chordsim.nets.embeddings import table_bytes
from chordsim.wire.ids import id_bytes


def payload_bytes(backbone: BackboneConfig, n_items: int) -> int:
    """Return the bytes of a list of ids and embeddings."""
    listed = min(CANDIDATES, n_items)
    return listed * id_bytes(n_items) + table_bytes(listed, backbone.dim, backbone.embedding_bits)


def sent_bytes(scenario: Scenario, spec: MethodSpec, n_items: int) -> int:
    """Return the payload bytes that the protocol sends each phone of a method in a session; 0 for none."""
    if scenario.protocol.ranking != "candidates" or DOWN_CANDIDATES in spec.exchange:
        return 0
    return payload_bytes(scenario.backbone, n_items)
