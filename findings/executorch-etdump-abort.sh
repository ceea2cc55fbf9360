#!/usr/bin/env bash
# A profile of a program in ExecuTorch ends the process where its buffer for intermediate outputs is too small.
#
# Versions: executorch 1.5.1, torch 2.13.0, Python 3.11, Linux x86-64.
# Expected: an error that Python can catch, or a profile without the outputs that had no room; the times need no such buffer.
# Seen: load_program(path, enable_etdump=True, debug_buffer_size=1000) aborts at the first execute (signal 6, "Ran out of space to store
#   intermediate outputs"); debug_buffer_size=0 keeps no outputs and writes the times of every call. The file that it writes has its size in
#   front: the identifier ED00 of the format's public schema stands at byte 8, not 4.
# Usage: findings/executorch-etdump-abort.sh   (a temporary environment of about 2 GB; exit code 1 if the behaviour is another)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet executorch==1.5.1 torch==2.13.0
cat > "$folder/dumped.py" <<'PY'
import subprocess
import sys
from pathlib import Path

RUN = """
import sys, torch
from pathlib import Path
from executorch.runtime import Runtime
program = Runtime.get().load_program(Path(sys.argv[1]), enable_etdump=True, debug_buffer_size=int(sys.argv[2]))
program.load_method("forward").execute([torch.ones(64, 64)])
program.write_etdump_result_to_file(sys.argv[1] + ".etdp", sys.argv[1] + ".bin")
"""
import torch
from executorch.exir import to_edge_transform_and_lower

path = Path(sys.argv[1])
made = to_edge_transform_and_lower(torch.export.export(torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU()), (torch.ones(64, 64),)))
path.write_bytes(made.to_executorch().buffer)
found = []
for size in (1000, 0):
    ended = subprocess.run([sys.executable, "-c", RUN, str(path), str(size)], capture_output=True, text=True)
    said = "Ran out of space" in ended.stderr + ended.stdout
    found.append((ended.returncode, said))
    print(f"debug_buffer_size={size}: exit code {ended.returncode}{', ran out of space' if said else ''}")
head = Path(f"{path}.etdp").read_bytes()[:12]
print(f"first bytes of the file: {head!r}")
same = found == [(-6, True), (0, False)] and head[8:12] == b"ED00"
print("as stated" if same else "not as stated")
sys.exit(0 if same else 1)
PY
"$folder/env/bin/python" "$folder/dumped.py" "$folder/program.pte" 2>/dev/null
