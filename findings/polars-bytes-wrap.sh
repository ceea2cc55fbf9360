#!/usr/bin/env bash
# polars sums the sizes of blobs and texts modulo 4 GiB: 5,000 messages of 1 MiB are 948 MB together.
#
# Versions: polars 2.1.0, Python 3.11.
# Expected: `bin.size().sum()` and `str.len_bytes().sum()` are how many bytes a column holds, as `bin.size("mb").sum()` says; narrow types
#   are widened in a sum, as polars does with 8 and 16 bits, and pandas, pyarrow and DuckDB with 32 too.
# Seen: sizes are UInt32 and their sum is UInt32 as well, which wraps without a word, in a frame, lazily, in groups and in `cum_sum`:
#   5,242,880,000 bytes become 947,912,704. The mean is right, so mean times count and sum differ. Nobody chose 32 bits here; a column of
#   Int32, as logs have for bytes, turns negative in the same way.
# Remedy: `.cast(pl.Int64).sum()`. (polars knows of sums of 32 bits: its issues 13782 and 17340.) chordsim's ledger has 64 bits everywhere.
# Usage: findings/polars-bytes-wrap.sh   (a temporary environment of about 200 MB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet polars==2.1.0
cat > "$folder/sizes.py" <<'PY'
import sys

import polars as pl

MIB, MESSAGES = 2**20, 5000
message = pl.col("message")
frame = pl.DataFrame({"message": pl.Series([b"\0" * MIB]).gather([0] * MESSAGES)}).with_columns(phone=pl.lit("a"))  # one blob, shared
texts = pl.DataFrame({"message": pl.Series(["x" * MIB]).gather([0] * MESSAGES)})
right, wrapped = MESSAGES * MIB, MESSAGES * MIB % 2**32
found = {
    "bin.size().sum()": (frame.select(message.bin.size().sum()), wrapped),
    "lazily": (frame.lazy().select(message.bin.size().sum()).collect(), wrapped),
    "in groups": (frame.group_by("phone").agg(message.bin.size().sum()).select("message"), wrapped),
    "cum_sum": (frame.select(message.bin.size().cum_sum().last()), wrapped),
    "str.len_bytes().sum()": (texts.select(message.str.len_bytes().sum()), wrapped),
    "mean times count": (frame.select(message.bin.size().mean() * pl.len()), right),
    'bin.size("mb").sum(), in MiB': (frame.select(message.bin.size("mb").sum()), MESSAGES),
    "cast to Int64 first": (frame.select(message.bin.size().cast(pl.Int64).sum()), right),
    "Int32, 3 times 2**30": (pl.DataFrame({"b": pl.Series([2**30] * 3, dtype=pl.Int32)}).sum(), 3 * 2**30 - 2**32),
    "Int16, 3 times 2**14": (pl.DataFrame({"b": pl.Series([2**14] * 3, dtype=pl.Int16)}).sum(), 3 * 2**14),
}
same = True
print(f"{MESSAGES:,} messages of {MIB:,} bytes: {right:,} bytes")
for name, (table, stated) in found.items():
    print(f"{name}: {table.item():,.0f} ({table.dtypes[0]})")
    same &= table.item() == stated
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/sizes.py"
