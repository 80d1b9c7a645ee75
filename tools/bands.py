"""Measures the bands of `course.expect` over five seeds: `python -m tools.bands [NN ...]`.

Each chapter runs once a seed, on the GPU too where there is one. What was measured is kept in data/bands.json, and the
band spans all of it with as much again on either side: at least one per cent of the value, or 0.05 of a share, which is
counted over few things. The words of a band (quantity, unit, causes) are written there by hand.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch

from aigc.course import BANDS
from aigc.data.fetch import atomic

from .notebooks import execute, read, sources

SEEDS = range(5)


def band(values: list[float], unit: str = "") -> tuple[float, float]:
    """The lowest and highest value that passes, for measured values of any number of seeds and devices."""
    low, high = min(values), max(values)
    share = unit == "of all"
    margin = max(high - low, 0.05 if share else 0.01 * max(abs(low), abs(high)))
    low, high = low - margin, high + margin
    if share:
        low, high = max(0.0, low), min(1.0, high)
    return float(f"{low:.4g}"), float(f"{high:.4g}")


def record(path: Path, seed: int, device: str) -> dict[str, float]:
    """What a chapter measures with this seed on this device."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "record"
        file.touch()
        execute(read(path), path.parent, AIGC_SEED=str(seed), AIGC_DEVICE=device, AIGC_RECORD=str(file))
        lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {line["key"]: line["value"] for line in lines}


def main(chosen: list[str]) -> int:
    devices = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    for path in (path for path in sources(chosen) if path.parent.name == "chapters"):
        measured: dict[str, dict[str, list[float]]] = {}
        for device in devices:
            for seed in SEEDS:
                for key, value in record(path, seed, device).items():
                    measured.setdefault(key, {}).setdefault(device, []).append(float(f"{value:.4g}"))
                print(f"{path.stem}: seed {seed} on {device}", flush=True)
        bands = json.loads(BANDS.read_text(encoding="utf-8")) if BANDS.exists() else {}
        bands = {key: value for key, value in bands.items() if key in measured or key[:2] != path.stem[:2]}
        for key, seeds in measured.items():
            old = bands.get(key, {"quantity": "", "unit": "", "causes": ""})
            seeds = {**old.get("seeds", {}), **seeds}  # a machine without a GPU keeps what was measured on one
            low, high = band([value for values in seeds.values() for value in values], old["unit"])
            bands[key] = {**old, "low": low, "high": high, "seeds": seeds}
            print(f"{key}: {low:g} to {high:g}" + ("" if old["quantity"] else "; write its quantity, unit and causes"))
        with atomic(BANDS) as partial:
            text = json.dumps(dict(sorted(bands.items())), indent=1, ensure_ascii=False)
            partial.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
