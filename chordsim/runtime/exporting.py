"""Writing an export: one program for all phones, a file for each phone that has weights of its own, and what they all are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chordsim.errors import UserError
from chordsim.files import atomic_write, disk_errors, json_bytes
from chordsim.nets.shapes import shapes_of
from chordsim.runtime import nbits, on_executorch, on_onnx, phone_file, xnnpack_bits
from chordsim.runtime.extras import Runtime, need, versions
from chordsim.runtime.from_run import Source
from chordsim.runtime.graphs import Inputs, Program, Shared, Whole
from chordsim.runtime.portable import Portable, Single
from chordsim.runtime.reference import vectors
from chordsim.runtime.reference.steps import Packed, checksum, unpack_codes

FORMAT = "chordsim-export-1"
LISTING, VECTORS, PHONES = "export.json", "vectors.json", "phones"
SUFFIX: dict[Runtime, str] = {"executorch": "pte", "onnx": "onnx"}
LowBits = Literal["expand", "kernel"]
#: Phones whose test vectors are shipped.
_VECTORS = 3


@dataclass(frozen=True)
class Job:
    """What is to be written.

    Attributes:
        source: Method and run.
        runtime: For which runtime.
        low_bits: ``expand``: levels lie packed and become floats when they are loaded; ``kernel``: the runtime multiplies by levels.
        out: The folder.
        devices: Which phones; empty for every phone whose plan the run kept.
    """

    source: Source
    runtime: Runtime
    low_bits: LowBits
    out: Path
    devices: tuple[int, ...] = ()


def export(job: Job) -> dict[str, Any]:
    """Write an export and return what its listing says.

    Raises:
        UserError: The runtime is not installed, a device without a plan, low bits that the runtime has no kernel for, or a folder in use.
        RunError: The exporter cannot convert the model.
    """
    need(job.runtime)
    source, portable = job.source, job.source.portable
    if job.low_bits == "kernel":
        _check_kernels(job)
    if job.out.exists() and (not job.out.is_dir() or any(job.out.iterdir())):
        raise UserError(f"{job.out}: is not empty: choose an empty or a new folder")
    sent = source.plans() if portable.planned is not None else {}
    chosen = _chosen(job, sent)
    files: dict[str, int] = {}
    # What can fail comes first, so that nothing is left behind.
    program = _program(job)
    with disk_errors(job.out):
        (job.out / PHONES).mkdir(parents=True)
    by_phone: list[dict[str, Any]] = []
    if portable.weights is not None:
        form = "whole"
    elif portable.packed is not None:
        form = "kernel" if job.low_bits == "kernel" else "shared"
        if form == "kernel" and job.runtime == "onnx":
            program = nbits.with_kernels(program, portable.packed, portable.parts, None, _names(portable))
        elif form == "shared":
            phone_file.write(job.out / "weights.safetensors", portable.packed, None, source.about())
            files["weights.safetensors"] = (job.out / "weights.safetensors").stat().st_size
    else:
        form = "kernel" if job.low_bits == "kernel" else "shared"
        by_phone = [_phone(job, program, device, sent[device]) for device in chosen]
        _write_vectors(job, {device: sent[device] for device in chosen[:_VECTORS]})
    if not (form == "kernel" and portable.planned is not None):
        name = f"program.{SUFFIX[job.runtime]}"
        atomic_write(job.out / name, program)
        files[name] = len(program)
    if not by_phone:
        (job.out / PHONES).rmdir()
    listing = {
        "format": FORMAT,
        **source.about(),
        "runtime": {"name": job.runtime, **versions(job.runtime)},
        "form": form,
        "inputs": source.inputs.names(_names(portable) if form == "shared" else ()),
        "layers": [[part.name, part.rows, part.width, part.gain] for part in portable.parts],
        "tables_bytes": portable.item.nbytes + portable.position.nbytes,
        "bootstrap_bytes": dict(source.parts),
        "files": files,
        "phones": by_phone,
    }
    atomic_write(job.out / LISTING, json_bytes(listing))
    return listing


def _check_kernels(job: Job) -> None:
    portable = job.source.portable
    if job.runtime == "executorch" and portable.planned is not None:
        raise UserError(
            f"--low-bits kernel of {job.source.spec.name} goes with --to onnx: XNNPACK's kernels take one width a layer, and each phone's "
            "plan would be a program to be compiled (docs/phone-runtime.md)"
        )
    if portable.weights is not None:
        raise UserError(f"--low-bits kernel: {job.source.spec.name} has no low bits")
    whole = shapes_of(job.source.context.backbone, job.source.context.n_items).layers
    if [part.rows for part in portable.parts] != [layer.channels for layer in whole]:
        raise UserError(f"--low-bits kernel: {job.source.spec.name} gives codes to groups of a channel, for which there is no kernel")


def _chosen(job: Job, sent: dict[int, bytes]) -> list[int]:
    if job.source.portable.planned is None:
        if job.devices:
            raise UserError(f"--device: {job.source.spec.name} is the same on every phone; leave it out")
        return []
    absent = [device for device in job.devices if device not in sent]
    if absent:
        first = f"from {min(sent)} to {max(sent)}" if sent else "none"
        raise UserError(f"--device {absent[0]}: the run kept no plan of it; it kept those of {len(sent)} phones, {first}")
    if not sent:
        raise UserError(f"{job.source.run}: the run kept no plan of {job.source.spec.name}: nobody was sent one in its last round")
    return list(job.devices) or sorted(sent)


def _names(portable: Portable) -> list[str]:
    return [f"weight{n}" for n in range(len(portable.parts))]


def channels(source: Source, weights: Sequence[Single]) -> list[Single]:
    """Return weights as whole channels [C, K], whatever rows they are packed in."""
    layers = shapes_of(source.context.backbone, source.context.n_items).layers
    return [np.ascontiguousarray(w).reshape(layer.channels, layer.fan_in) for w, layer in zip(weights, layers, strict=True)]


def _program(job: Job) -> bytes:
    """Return the program: with weights as constants where they are shipped at full precision, else as inputs."""
    portable, takes = job.source.portable, job.source.inputs
    inputs, names = takes.example(), takes.names()
    module: Program
    if portable.weights is not None:
        module = Whole(takes, portable.item, portable.position, channels(job.source, portable.weights))
    elif job.low_bits == "kernel" and job.runtime == "executorch":
        return _with_xnnpack_kernels(portable, takes)
    else:
        import torch

        module = Shared(takes, portable.item, portable.position)
        layers = shapes_of(takes.config, job.source.context.n_items).layers
        inputs = (*inputs, *(torch.zeros(layer.channels, layer.fan_in) for layer in layers))
        names = [*names, *_names(portable)]
    if job.runtime == "executorch":
        return on_executorch.lowered(module, inputs)
    return on_onnx.converted(module, inputs, names, "scores" if takes.config.items == "owned" else "state")


def _with_xnnpack_kernels(portable: Portable, takes: Inputs) -> bytes:
    """Return the program of a model that is the same for all phones, its products made by XNNPACK from levels."""
    packed = portable.packed
    assert packed is not None
    scales = np.split(packed.scales, np.cumsum([part.rows for part in portable.parts])[:-1])
    levels = nbits.levels_of(packed, portable.parts)
    module = xnnpack_bits.Kernels(takes, portable.item, portable.position, levels, scales, int(packed.bits.max()))
    return on_executorch.lowered(module, takes.example(), low_bits=True)


def _phone(job: Job, program: bytes, device: int, plan: bytes) -> dict[str, Any]:
    """Write one phone's file and return its entry."""
    planned = job.source.portable.planned
    assert planned is not None
    codes = unpack_codes(plan, sum(part.rows for part in job.source.portable.parts))
    packed, gains = planned.packed(codes), planned.gains_of(codes)
    bits = bits_mean(job.source.portable, packed)
    user = int(job.source.world.population.users(np.array([device]))[0])
    entry = {"device_id": device, "user_id": user, "plan": plan.hex(), "bits_mean": bits, "weights_sha256": _sum_of(packed)}
    if job.low_bits == "kernel":
        path = job.out / PHONES / f"{device:08d}.{SUFFIX[job.runtime]}"
        atomic_write(path, nbits.with_kernels(program, packed, job.source.portable.parts, gains, _names(job.source.portable)))
    else:
        path = job.out / PHONES / f"{device:08d}.safetensors"
        phone_file.write(path, packed, gains, {**job.source.about(), **entry})
    return {**entry, "file": f"{PHONES}/{path.name}", "bytes": path.stat().st_size, "levels_bytes": int(packed.levels.size)}


def bits_mean(portable: Portable, packed: Packed) -> float:
    """Return the stored bits of a mean weight."""
    width = np.concatenate([np.full(part.rows, part.width) for part in portable.parts])
    return float((packed.bits * width).sum() / width.sum())


def _sum_of(packed: Packed) -> str:
    return checksum(packed.bits, packed.levels, packed.scales)


def _write_vectors(job: Job, plans: dict[int, bytes]) -> None:
    """Write test vectors of the first phones' own seed and plans; none where the backbone was shipped rather than drawn."""
    planned, parts = job.source.portable.planned, job.source.portable.parts
    if planned is None or planned.seed is None:
        return
    seed = planned.seed
    made = [
        vectors.made(parts, seed, plan, planned.widths, law=planned.law, keep=planned.keep, kept=planned.kept, turned=planned.turned)
        for plan in plans.values()
    ]
    atomic_write(job.out / VECTORS, vectors.text(made).encode())
