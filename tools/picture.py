"""The README's picture: what chapter 00 made, one below the other. `python -m tools.picture` writes it."""

import base64
import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np

from aigc.files import atomic

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "first_flight.png"
WIDTH = 700  # pixels


def compose() -> np.ndarray:
    """The first verse, digits and piano roll that the executed notebook holds: (H, W, 3) bytes."""
    notebook = nbformat.read(ROOT / "chapters" / "00_first_flight.ipynb", 4)
    outputs = [(cell.source, output) for cell in notebook.cells for output in cell.get("outputs", [])]
    verse = next(o.text for _, o in outputs if o.output_type == "stream" and o.text.startswith("JULIET:"))
    shown = [(source, o.data["image/png"]) for source, o in outputs if "image/png" in o.get("data", {})]
    pngs = [next(png for source, png in shown if name in source) for name in ("show.images(", "show.roll(")]
    digits, roll = (plt.imread(io.BytesIO(base64.b64decode(png)))[..., :3] for png in pngs)
    lines = verse.splitlines()[:6]
    height = [20 * len(lines) + 12] + [round(WIDTH * image.shape[0] / image.shape[1]) for image in (digits, roll)]
    plt.switch_backend("agg")
    fig, panels = plt.subplots(
        3, 1, figsize=(WIDTH / 100, sum(height) / 100), dpi=100, height_ratios=height, layout="none"
    )
    fig.subplots_adjust(0, 0, 1, 1, hspace=0)
    panels[0].text(0.02, 0.95, "\n".join(lines), va="top", family="monospace", fontsize=10, color="#2F3640")
    for panel, image in zip(panels[1:], (digits, roll), strict=True):
        panel.imshow(image, interpolation="antialiased", aspect="auto")
    for panel in panels:
        panel.set_axis_off()
    fig.canvas.draw()
    pixels = np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()
    plt.close(fig)
    return pixels


def main() -> int:
    PICTURE.parent.mkdir(exist_ok=True)
    with atomic(PICTURE) as partial:
        plt.imsave(partial, compose(), metadata={"Software": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
