"""The contract: the columns of the design in their order, and the page that explains them."""

from pathlib import Path

from chordsim.ledger.columns import COLUMNS, SCORED, markdown

DOCS = Path(__file__).parents[3] / "docs" / "ledger.md"
CONTRACT = """method, round, device_id, user_id, tier, outcome, served_by, refused_by, binding, bits_mean, plan_age_rounds,
bootstrap_bytes, candidates_bytes, rows_bytes, prescription_bytes, framing_down_bytes, down_bytes, cut_down_bytes,
profile_bytes, asks_bytes, update_bytes, report_bytes, framing_up_bytes, up_bytes, cut_up_bytes, wasted_bytes, round_trips,
cached_rows, model_bytes, peak_memory_bytes, macs, train_macs, bitops, cloud_macs, download_s, adapt_s, infer_s, upload_s,
total_s, report_s, compute_j, radio_j, report_j, rank, fallback_rank, hr_5, ndcg_5, hr_10, ndcg_10, mrr, ndcg_10_all"""


def test_the_columns_are_the_contract():
    assert [c.name for c in COLUMNS] == CONTRACT.replace("\n", " ").split(", ")


def test_names_units_and_types_agree():
    units = {"_bytes": ("B", "int64"), "_s": ("s", "float64"), "_j": ("J", "float64")}
    for column in COLUMNS:
        for suffix, want in units.items():
            if column.name.endswith(suffix):
                assert (column.unit, column.dtype) == want, column.name
        assert column.meaning and "\n" not in column.meaning and "|" not in column.meaning
    assert {c.name for c in COLUMNS if c.nullable} == {*SCORED, "fallback_rank", "ndcg_10_all", "bits_mean", "plan_age_rounds"}


def test_the_page_holds_exactly_this_table():
    text = DOCS.read_text(encoding="utf-8")
    assert markdown() in text
    shown = [line for line in text.split("## Columns")[1].split("\n## ")[0].splitlines() if line.startswith("|")]
    assert "\n".join(shown) + "\n" == markdown()
