"""What a person sees when the disk, the cache, a scenario or a data file is bad: one line, and the right exit code."""

import errno
import os
import shutil
import subprocess
import sys

import pytest

from chordsim.cli import main

PATH_ROOT = os.geteuid() == 0


@pytest.fixture
def say(capsys, tiny, monkeypatch):
    """Return a caller of the command line that gives (exit code, what it said on stderr)."""
    monkeypatch.setenv("CHORDSIM_DEBUG", "0")

    def call(*words, overrides=()):
        sets = [part for text in (*tiny(methods=("chord-plus",)), *overrides) for part in ("--set", text)] if words[0] == "run" else []
        code = main([*words, *sets])
        return code, capsys.readouterr().err.strip()

    return call


def one_line(said):
    """Check that the last line is the error, without a traceback before it."""
    assert "Traceback" not in said
    return said.splitlines()[-1]


def test_two_runs_into_one_folder(say, tmp_path):
    assert say("run", "offline", "--out", str(tmp_path / "r"))[0] == 0
    code, said = say("run", "offline", "--out", str(tmp_path / "r"))
    assert (code, "holds an earlier run" in one_line(said)) == (2, True)
    code, said = say("run", "offline", "--out", str(tmp_path / "r" / "manifest.json"))
    assert (code, str(tmp_path / "r" / "manifest.json") in one_line(said)) == (2, True)


def test_a_folder_in_use(say, tmp_path):
    held = tmp_path / "held"
    held.mkdir()
    holder = subprocess.Popen(  # a run that is going on in another process
        [
            sys.executable,
            "-c",
            f"import fcntl, sys; f = open({str(held / '.lock')!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
            "print('held', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        code, said = say("run", "offline", "--out", str(held))
        assert (code, "another run is writing here" in one_line(said)) == (2, True)
    finally:
        holder.communicate("")


def test_a_disk_that_fills_up_while_rounds_are_played_and_is_freed(say, tmp_path, monkeypatch):
    import chordsim.files as store

    real, writes = os.replace, []

    def full(source, target):
        if "ledger" in str(target):
            writes.append(target)
            if len(writes) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(source, target)

    monkeypatch.setattr(store.os, "replace", full)
    out = tmp_path / "full"
    code, said = say("run", "offline", "--out", str(out))
    assert code == 1
    assert "No space left" in one_line(said)
    assert not list(out.rglob("*.part"))
    monkeypatch.setattr(store.os, "replace", real)
    # With room again, the run goes on.
    assert main(["run", "--resume", str(out)]) == 0


@pytest.mark.skipif(PATH_ROOT, reason="root may write everywhere")
def test_a_read_only_place(say, tmp_path):
    tmp_path.chmod(0o500)
    code, said = say("run", "offline", "--out", str(tmp_path / "r"))
    assert (code, "cannot be written" in one_line(said)) == (2, True)


def test_a_cache_that_is_no_folder(say, tmp_path, monkeypatch):
    code, _ = say("run", "offline", "--out", str(tmp_path / "a"))
    (tmp_path / "cache").write_text("not a folder")
    monkeypatch.setattr("os.environ", {**os.environ})
    overrides = ["seed=77"]
    monkeypatch.setenv("CHORDSIM_CACHE", str(tmp_path / "cache"))
    words = [part for text in overrides for part in ("--set", text)]
    code = main(["run", "offline", "--out", str(tmp_path / "b"), *words])
    assert code == 2


def test_a_cache_with_a_damaged_model_is_trained_anew(say, tmp_path, shared_cache, monkeypatch):
    assert say("run", "offline", "--out", str(tmp_path / "a"))[0] == 0
    copy = tmp_path / "cache"
    shutil.copytree(shared_cache, copy)
    for model in (copy / "models").glob("*.safetensors"):
        data = bytearray(model.read_bytes())
        data[-3] ^= 64
        model.write_bytes(data)
    from chordsim.api import RunResult, run

    monkeypatch.setenv("CHORDSIM_CACHE", str(copy))
    first = RunResult(tmp_path / "a")
    again = run(first.path / "scenario.toml", out=tmp_path / "b")
    assert again.manifest["cloud_models"] == {"chord-plus": False}
    assert again.manifest["ledger_sha256"] == first.manifest["ledger_sha256"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[rounds]\ncount = 1000000000", "rounds.count"),
        ("[rounds]\ncount = 99999999999999999999999999", "rounds.count"),
        (f'question = "{"x" * 500_000}"', "question"),
        (f'question = "{"x" * 1_000_000}"', "larger than 1,000,000 bytes"),
        (f'name = "{"a" * 100_000}"', "name"),
        (f'methods = ["{"m" * 100_000}"]', "methods"),
        ("methods = [" + ", ".join(f'"chord-{n}"' for n in range(10_000)) + "]", "methods"),
        ("[data.synthetic]\nusers = 1000000000000", "data.synthetic.users"),
        ("[backbone]\ndim = 1000000000", "backbone.dim"),
        ("x = " + "[" * 100_000, ""),
        ("[a" + ".a" * 20_000 + "]\nx = 1", ""),
        ("seed = -1", "seed"),
        ("[training]\nlr = nan", "training.lr"),
        ("[clock]\nloss = inf", "clock.loss"),
        ('name = "../../etc"', "name"),
    ],
)
def test_a_hostile_scenario_is_one_line(text, says, capsys, tmp_path):
    path = tmp_path / "hostile.toml"
    path.write_text(text)
    assert main(["run", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert says in one_line(said)
    assert len(said) < 3000
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"user_id,item_id\n9223372036854775808,1\n", "line 2"),
        (b"user_id,item_id\n1,-9223372036854775809\n", "line 2"),
        (b"user_id,item_id\n" + b"1" * 10_000_000, "line 2"),
        (b"user_id,item_id\n" + b"\x00\xff\xfe" * 1000, ""),
        (b"", ""),
        (b"\x1f\x8b" + b"\x00" * 20, ""),
        (b"user_id,item_id\n=cmd|' /C calc'!A0,1\n", ""),
    ],
)
def test_a_hostile_data_file_is_one_line(content, says, capsys, tmp_path):
    data = tmp_path / "data.csv"
    data.write_bytes(content)
    words = ["--set", 'data.source="file"', "--set", f'data.path="{data}"', "--set", 'data.format="csv"']
    code = main(["run", "offline", *words, "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err.strip()
    assert code == 2, said
    assert says in one_line(said)
    assert "data.csv" in said
    assert len(said) < 3000
