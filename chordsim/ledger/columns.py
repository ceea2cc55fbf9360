"""The ledger's contract: every column in order, with its type, unit, meaning and mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chordsim.methods import BINDINGS

SCHEMA_VERSION = 2

#: What earlier schemas lack, for whoever meets one.
_EARLIER = {"1": "its seconds and joules count the simulator's own report, and nothing in it tells how much that is"}

Dtype = Literal["str", "int64", "float64"]
#: How a column comes about. key: names the row. decided: what the simulated round decided. measured: the
#: length of encoded bytes, or the rank of the target among real scores. computed: closed form from the
#: model's real shapes. modelled: from the population's constants, each of which carries its own mark.
Mark = Literal["key", "decided", "measured", "computed", "modelled"]

OUTCOMES = ("served", "refused", "offline", "dropped", "late", "failed")
SERVED_BY = ("fresh", "stale", "fallback")
REFUSED_BY = ("none", "cloud", "device")


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: Name in files and frames.
        dtype: Type in files and frames, and how a value is hashed.
        unit: Unit of the values; "" where there is none.
        mark: How the values come about.
        meaning: One line for a person.
        nullable: True if a row may have no value.
        words: The only values that a text column may take; empty where the scenario names them.
    """

    name: str
    dtype: Dtype
    unit: str
    mark: Mark
    meaning: str
    nullable: bool = False
    words: tuple[str, ...] = ()


_SCORED = "null unless the model ranked for the user"

COLUMNS: tuple[Column, ...] = (
    Column("method", "str", "", "key", "method by its name in the scenario"),
    Column("round", "int64", "", "key", "round, from 1"),
    Column("device_id", "int64", "", "key", "the phone"),
    Column("user_id", "int64", "", "key", "the user whose interactions the phone plays; statistics cluster by it"),
    Column("tier", "str", "", "key", "tier of the phone, named by the scenario"),
    Column("outcome", "str", "", "decided", "how the round ended for this phone", words=OUTCOMES),
    Column("served_by", "str", "", "decided", "what the user saw", words=SERVED_BY),
    Column("refused_by", "str", "", "decided", "which side refused; none unless the outcome is refused", words=REFUSED_BY),
    Column("binding", "str", "", "decided", "budget that limited what was prescribed, or for which it was refused", words=BINDINGS),
    Column("bits_mean", "float64", "bit", "computed", "stored bits per weight, weighted by fan-in; null where no model ran", True),
    Column("plan_age_rounds", "int64", "round", "decided", "rounds since the prescription in use was made, 0 is fresh", True),
    Column("bootstrap_bytes", "int64", "B", "measured", "blobs that the device must own first, once per version"),
    Column("candidates_bytes", "int64", "B", "measured", "payload of candidates, down"),
    Column("rows_bytes", "int64", "B", "measured", "payload of item rows that the phone asked for, down"),
    Column("prescription_bytes", "int64", "B", "measured", "payload of prescriptions, down"),
    Column("framing_down_bytes", "int64", "B", "measured", "chordsim's headers and CRCs, down"),
    Column("down_bytes", "int64", "B", "measured", "what crossed the simulated link, down"),
    Column("cut_down_bytes", "int64", "B", "measured", "rest of a cut transfer that did not cross, down"),
    Column("profile_bytes", "int64", "B", "measured", "payload of profiles, up"),
    Column("asks_bytes", "int64", "B", "measured", "payload of asks for item rows, up"),
    Column("update_bytes", "int64", "B", "measured", "payload of updates, up"),
    Column("report_bytes", "int64", "B", "measured", "payload of reports, up: instrumentation that a product would not send"),
    Column("framing_up_bytes", "int64", "B", "measured", "chordsim's headers and CRCs, up"),
    Column("up_bytes", "int64", "B", "measured", "what crossed the simulated link, up"),
    Column("cut_up_bytes", "int64", "B", "measured", "rest of a cut transfer that did not cross, up"),
    Column(
        "wasted_bytes",
        "int64",
        "B",
        "measured",
        "bytes that crossed for a round that did not serve: dropped, late, failed, refused after download",
    ),
    Column("round_trips", "int64", "", "computed", "round trips over the link"),
    Column("cached_rows", "int64", "", "decided", "item rows that the phone holds after the round, where the catalogue stays in the cloud"),
    Column("model_bytes", "int64", "B", "computed", "bit-packed weights of the model that ran"),
    Column(
        "peak_memory_bytes",
        "int64",
        "B",
        "computed",
        "weights, embeddings, extractor, mask, regenerated rows and activations at their peak",
    ),
    Column("macs", "int64", "MAC", "computed", "multiply-accumulates of inference on the phone"),
    Column("train_macs", "int64", "MAC", "computed", "multiply-accumulates of training on the phone"),
    Column("bitops", "int64", "bit operation", "computed", "multiply-accumulates times the bits of weight and activation"),
    Column("cloud_macs", "int64", "MAC", "computed", "multiply-accumulates of the cloud for this phone"),
    Column("download_s", "float64", "s", "modelled", "time of the down legs"),
    Column("adapt_s", "float64", "s", "modelled", "reading the user, decoding the prescription and making the weights"),
    Column("infer_s", "float64", "s", "modelled", "one request's inference on the phone"),
    Column("upload_s", "float64", "s", "modelled", "time of the up legs, without the report"),
    Column("total_s", "float64", "s", "modelled", "the phone's whole round: its legs and its on-device seconds, without the report"),
    Column("report_s", "float64", "s", "modelled", "time of the report: instrumentation that a product would not send"),
    Column("compute_j", "float64", "J", "modelled", "energy of computing"),
    Column("radio_j", "float64", "J", "modelled", "energy of the radio, its tail included, without the report"),
    Column("report_j", "float64", "J", "modelled", "what the report adds to it: the radio's energy with the report minus without it"),
    Column("rank", "float64", "", "measured", f"rank of the target, from 1, middle rank for ties; {_SCORED}", True),
    Column("fallback_rank", "float64", "", "measured", "rank of the target in the fallback list; null without metrics", True),
    Column("hr_5", "float64", "", "measured", f"hit rate at 5; {_SCORED}", True),
    Column("ndcg_5", "float64", "", "measured", f"NDCG at 5; {_SCORED}", True),
    Column("hr_10", "float64", "", "measured", f"hit rate at 10; {_SCORED}", True),
    Column("ndcg_10", "float64", "", "measured", f"NDCG at 10; {_SCORED}", True),
    Column("mrr", "float64", "", "measured", f"reciprocal rank; {_SCORED}", True),
    Column("ndcg_10_all", "float64", "", "measured", "NDCG at 10 of what the user saw, fallback included (intention to serve)", True),
)

#: Beside these, and only where a run keeps them (`protocol.keep_lists`): the items that each phone ranked first, int32 [D, k].
LIST = "list"

BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}
#: Columns that one value per file carries; the others hold one value per row.
CONSTANT = ("method", "round")
PER_ROW: tuple[Column, ...] = tuple(column for column in COLUMNS if column.name not in CONSTANT)
#: Null together, exactly where the model did not rank.
SCORED = ("rank", "hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr")


def other_schema(version: object) -> str:
    """Return in words why a ledger or run of another schema is not read, and what to do."""
    why = _EARLIER.get(str(version))
    tail = f": {why}; run its scenario.toml anew" if why else ""
    return f"schema {version}: this program reads {SCHEMA_VERSION}{tail}, or use the chordsim that wrote it"


def markdown() -> str:
    """Return the contract as the Markdown table that docs/ledger.md shows."""
    lines = ["| column | type | unit | null | mark | meaning |", "| --- | --- | --- | --- | --- | --- |"]
    for column in COLUMNS:
        words = f": {', '.join(f'`{word}`' for word in column.words)}" if column.words else ""
        null = "yes" if column.nullable else ""
        lines.append(f"| `{column.name}` | {column.dtype} | {column.unit} | {null} | {column.mark} | {column.meaning}{words} |")
    return "\n".join(lines) + "\n"
