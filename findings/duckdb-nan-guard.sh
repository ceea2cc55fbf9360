#!/usr/bin/env bash
# DuckDB drops `not isnan(x)` from a query on a Parquet file, since its statistics name no NaN, which they never do: means come out as NaN.
#
# Versions: duckdb 2.0.1, pyarrow 26.0.1, Python 3.11.
# Expected: of 20 rows, 10 of them NaN, 5 of 0.1 and 5 of 0.9, `where not isnan(x)` leaves 10 with a mean of 0.5, `where isnan(x)` the other
#   10, and `where x > 0.5 and x <= 1` 5, however the file is cut into row groups; a table in memory gives just that.
# Seen: as one row group `avg(x) ... where not isnan(x)` is NaN, `count(*) ... where isnan(x)` 0, and 15 rows are said to lie above 0.5 and
#   up to 1. In groups of 10 it is 10 of these, and 10 below 0.5 where there are 5. In groups of 5, or without statistics, all is right. Least
#   and largest of a group leave NaN out, as Parquet wants it, and DuckDB takes them for all that is there. With NaN for users without a
#   metric, as numpy arrays have it, a share of good users is off by how a writer cut the file, and the guard against it is gone.
# Remedy: null for what is missing (pa.array(..., from_pandas=True)), as chordsim's ledger has it; isfinite(x) is not dropped. (DuckDB's
#   issues 7803 and 25521 tell of nullif and of comparisons.)
# Usage: findings/duckdb-nan-guard.sh   (a temporary environment of about 300 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet duckdb==2.0.1 pyarrow==26.0.1
cat > "$folder/guard.py" <<'PY'
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

nan = float("nan")
rows = pa.table({"x": [nan] * 5 + [0.1] * 5 + [nan] * 5 + [0.9] * 5})
queries = {
    "mean, not isnan": "select round(avg(x), 6) from {} where not isnan(x)",
    "mean, isfinite": "select round(avg(x), 6) from {} where isfinite(x)",
    "how many isnan": "select count(*) from {} where isnan(x)",
    "above 0.5, up to 1": "select count(*) from {} where x > 0.5 and x <= 1",
    "below 0.5": "select count(*) from {} where x < 0.5",
}
right = ["0.5", "0.5", "10", "5", "5"]
stated = {
    "in memory": right,
    "row groups of 5": right,
    "row groups of 10": ["nan", "0.5", "0", "10", "10"],
    "row groups of 20": ["nan", "0.5", "0", "15", "5"],
    "row groups of 20, no statistics": right,
}
same = True
for name, expected in stated.items():
    source = "rows"
    if name != "in memory":
        pq.write_table(rows, sys.argv[1], row_group_size=int(name.split()[3].strip(",")), write_statistics="no" not in name.split())
        source = f"'{sys.argv[1]}'"
    found = [str(duckdb.sql(query.format(source)).fetchall()[0][0]) for query in queries.values()]
    print(f"{name}: " + ", ".join(f"{what} {value}" for what, value in zip(queries, found, strict=True)))
    same &= found == expected
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/guard.py" "$folder/rows.parquet"
