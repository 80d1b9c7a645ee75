"""What this machine is: its device, and the precision in which it multiplies fastest."""

import os
import platform
import time
from functools import cache
from pathlib import Path

import torch

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def device() -> torch.device:
    """$AIGC_DEVICE where it is set, else the GPU or the Apple chip where there is one, else the CPU.

    Raises ValueError if this machine has no such device.
    """
    name = os.environ.get("AIGC_DEVICE") or (
        "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    )
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0].split(". ")[0][:200]  # torch lists all its kernels behind it
        raise ValueError(f"AIGC_DEVICE={name}: {reason}. Choose cpu, cuda or mps, what this machine has") from error
    return torch.device(name)


def precision(device: torch.device | str = "cpu") -> torch.dtype:
    """bfloat16 where the device multiplies much faster in it, else float32; $AIGC_PRECISION decides where it is set.

    A GPU has a unit for it or not; a CPU is timed; Apple's GPU computes in float32.

    Raises ValueError if $AIGC_PRECISION is neither "float32" nor "bfloat16".
    """
    asked = os.environ.get("AIGC_PRECISION")
    if asked:
        if asked not in PRECISIONS:
            raise ValueError(f"AIGC_PRECISION={asked}: choose float32 or bfloat16, or unset it")
        return PRECISIONS[asked]
    kind = torch.device(device).type
    native = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native or kind == "cpu" and bfloat16_gain() > 2.5 else torch.float32


def autocast(device: torch.device, fast: bool = True) -> torch.autocast:
    """A context in which matrix products run in `precision(device)`, if fast."""
    return torch.autocast(device.type, torch.bfloat16, enabled=fast and precision(device) is torch.bfloat16)


@cache
def bfloat16_gain() -> float:
    """How many times as fast as in float32 a product in bfloat16 is on this CPU: 5 with a good unit, 0.2 without one.

    Timed, since no flag tells it on every processor. The units of Intel, AMD, ARM and Apple have different names, and
    having one is not enough: a server with avx512_bf16, but without AMX, was half as fast so. The best of several short
    tries ignores other programs.
    """
    a, b = torch.ones(512, 128), torch.ones(128, 512)
    pairs = {torch.float32: (a, b), torch.bfloat16: (a.bfloat16(), b.bfloat16())}
    best = dict.fromkeys(pairs, float("inf"))
    for _ in range(9):
        for dtype, (x, y) in pairs.items():
            started = time.perf_counter()
            x @ y
            best[dtype] = min(best[dtype], time.perf_counter() - started)
    return best[torch.float32] / best[torch.bfloat16]


def describe(device: torch.device) -> str:
    """One line for people: the processor or the GPU that computes, its precision, and the threads."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    elif device.type == "mps":
        name = f"the GPU of {_processor()}"
    else:
        name = f"{_processor()} ({torch.backends.cpu.get_cpu_capability()})"
    chosen = str(precision(device)).removeprefix("torch.")
    return f"Machine: {name}, {chosen}, threads: {torch.get_num_threads()}"


def _processor() -> str:
    known = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    if known.exists():
        for line in known.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
