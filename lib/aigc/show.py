"""What a notebook shows: figures, digits, piano rolls, scores, sound, and text as it comes."""

import base64
import io
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, combinations

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from cycler import cycler
from IPython.display import Audio, display
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image

from . import sound
from .codecs.notes import check, to_midi
from .engrave import engrave
from .score import DURATION, ONSET, PITCH, VOICE, VOICES
from .sound import RATE

# One palette, in which every pair of colours stays apart for colour-blind eyes too. GOLD is for fills only.
SUNSET, WATER, DUSK, SKY, GOLD, INK = "#D55E00", "#00796B", "#7A3E9D", "#4C9BE0", "#E6A100", "#2F3640"
VOICE_COLORS = (SUNSET, GOLD, WATER, DUSK)  # soprano .. bass

# What a reader sees in the figures
TEXT = {name: name for name in ("bar", "pitch", "baseline", "step", "modes", *VOICES)}

BOXES = {  # of a diagram, which differ in grey too: filled, dashed, light
    "data": dict(facecolor="white", edgecolor=INK),
    "model": dict(facecolor=SUNSET, edgecolor=SUNSET),
    "truth": dict(facecolor="white", edgecolor=DUSK, linestyle="--"),
    "baseline": dict(facecolor="#D3E7F9", edgecolor=SKY),
}

STYLE = {
    "figure.figsize": (7, 3),
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "savefig.dpi": 144,  # sharp on dense screens; shown 700 pixels wide
    "font.size": 11,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=[WATER, SUNSET, SKY, DUSK, INK]),
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
}

PEAK = 0.7  # of the samples, which MP3 may exceed a little when it is played


def style() -> None:
    """Give every later figure of this notebook the look of the course."""
    plt.rcParams.update(STYLE)


def figure(fig: plt.Figure, alt: str, text: str = "") -> None:
    """Display the figure once and close it. alt: what it shows, in words, for those who cannot see it.

    text: its plain text, which nbval compares; alt where there is none. The same figure gives the same bytes. Raises
    ValueError if alt is empty.
    """
    _described(alt)
    full = io.BytesIO()
    fig.savefig(full)
    width = round(fig.get_figwidth() * 100)
    plt.close(fig)
    _png(full, width, alt, text)


def band(quantity: str, low: float, high: float, value: float, baseline: float | None = None, *, text: str) -> None:
    """Display in one line where a value lies: its band as a bar, the baseline as a tick, the value as a dot.

    text: the plain text of the picture, as for `figure`.
    """
    known = [low, high, value] + ([] if baseline is None else [baseline])
    width = max(known) - min(known) or abs(value) or 1.0
    with plt.rc_context(STYLE | {"font.size": 9}):
        fig = plt.figure(figsize=(7, 0.5), layout="none")
        fig.text(0.005, 0.5, textwrap.fill(quantity, 44), va="center")
        axes = fig.add_axes((0.44, 0, 0.56, 1))
        axes.set(xlim=(min(known) - 0.6 * width, max(known) + 0.6 * width), ylim=(-1, 1))
        axes.set_axis_off()
        axes.axhline(0, color=INK, lw=0.5, alpha=0.4)
        axes.plot([low, high], [0, 0], color=GOLD, lw=9, solid_capstyle="butt")
        beside = "center"
        if baseline is not None:  # its label and that of the band grow away from each other
            beside, away = ("left", "right") if baseline < low else ("right", "left")
            axes.plot([baseline] * 2, [-0.35, 0.35], color=SKY, lw=3)
            axes.text(baseline, -0.95, f"{TEXT['baseline']} {baseline:.4g}", color="#1F6FB2", ha=away)
        at = {"left": low, "right": high, "center": (low + high) / 2}[beside]
        axes.text(at, -0.95, f"{low:.4g} … {high:.4g}", ha=beside)
        axes.plot(value, 0, "o", color=SUNSET, ms=6)
        axes.text(value, 0.3, f"{value:.4g}", color=SUNSET, ha="center", weight="bold")
        figure(fig, alt=f"{quantity}: {value:.4g}; band {low:.4g} to {high:.4g}", text=text)


def images(array: np.ndarray, columns: int = 10, labels: Iterable | None = None, *, alt: str) -> None:
    """Display grey images in rows of `columns`, each under its label. array: (N, H, W) bytes, 0 black .. 255 white.

    Raises ValueError for anything else, for columns < 1, for another number of labels, and if alt is empty.
    """
    _described(alt)
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != 3 or array.size == 0:
        raise ValueError(
            f"images must be (N, H, W) bytes (uint8, 0 .. 255), N >= 1, not {array.dtype} of shape {array.shape}. "
            "codecs.images.decode makes them of a model's tensors; add an axis to a single image with image[None]."
        )
    labels = None if labels is None else [str(label) for label in labels]
    if columns < 1 or labels is not None and len(labels) != len(array):
        given = "no" if labels is None else len(labels)
        raise ValueError(f"{len(array)} images need columns >= 1 and as many labels, not {columns} and {given}")
    columns = min(columns, len(array))
    rows, (_, height, width) = -(-len(array) // columns), array.shape
    above, gap = (height // 2 if labels else 0), max(1, width // 14)
    sheet = np.full((rows * (height + above + gap), columns * (width + gap)), 255, dtype=np.uint8)
    corners = [(i // columns * (height + above + gap) + above, i % columns * (width + gap)) for i in range(len(array))]
    for image, (y, x) in zip(array, corners, strict=True):
        sheet[y : y + height, x : x + width] = image
    inches = min(7, 0.7 * columns)
    with plt.rc_context(STYLE):
        fig = plt.figure(figsize=(inches, inches * sheet.shape[0] / sheet.shape[1]), layout="none")
        axes = fig.add_axes((0, 0, 1, 1))
        axes.imshow(sheet, vmin=0, vmax=255)
        axes.set_axis_off()
        for label, (y, x) in zip(labels or (), corners, strict=False):
            axes.text(x + width / 2, y - above / 4, label, ha="center", va="bottom", fontsize=10)
        figure(fig, alt)


def diagram(boxes: dict[str, tuple], arrows: list[tuple], *, alt: str) -> None:
    """Display boxes with arrows between them: the idea of a chapter, to be understood in grey and 700 pixels wide.

    boxes: their texts, each with (column, row) or (column, row, kind): its place on a grid, rows going down, in
    fractions too, and a key of BOXES, what it stands for. arrows: (from, to) or (from, to, label), straight; two there
    and back bow apart. Raises ValueError for an arrow to itself or to no box, another kind, and where boxes or
    labels would cover each other.
    """
    _described(alt)
    boxes = {name: (*place, "data")[:3] for name, place in boxes.items()}
    wrong = [place for place in boxes.values() if place[2] not in BOXES or min(place[:2]) < 0]
    wrong += [arrow for arrow in arrows if not {*arrow[:2]} <= {*boxes} or arrow[0] == arrow[1]]
    if wrong or not boxes:
        raise ValueError(
            f"arrows join two boxes; boxes have places from 0 on and kinds of {list(BOXES)}; wrong: {wrong}"
        )
    columns, rows = (1 + max(place[i] for place in boxes.values()) for i in (0, 1))
    wide = 7 / columns  # inches of a column; a row has one
    with plt.rc_context(STYLE):
        fig = plt.figure(figsize=(7, rows + 0.3), layout="none")
        axes = fig.add_axes((0, 0, 1, 1), xlim=(-0.5, columns - 0.5), ylim=(rows - 0.35, -0.65))
        axes.set_axis_off()
        patches = {}
        for name, (x, y, kind) in boxes.items():
            look = dict(ha="center", va="center", weight="bold", color="white" if kind == "model" else INK)
            look["bbox"] = dict(boxstyle="round,pad=0.5", lw=1.6, **BOXES[kind])
            lines = name if "$" in name or "\n" in name else textwrap.fill(name, int(11 * wide), break_long_words=False)
            patches[name] = axes.text(x, y, lines, **look).get_bbox_patch()
        for start, end, *label in arrows:
            bow = 0.15 * any(arrow[:2] == (end, start) for arrow in arrows)
            ends = dict(patchA=patches[start], patchB=patches[end], shrinkA=2, shrinkB=2, lw=1.6, color=INK)
            ends |= dict(arrowstyle="-|>", mutation_scale=16, connectionstyle=f"arc3,rad={bow}")
            (x, y), (u, v) = boxes[start][:2], boxes[end][:2]
            axes.annotate("", (u, v), (x, y), arrowprops=ends, zorder=4)  # drawn when the boxes are, and ends at them
            side = np.array([y - v, (u - x) * wide])  # across the arrow, in inches, to where it bows
            middle = ((x + u + bow * side[0] / wide) / 2, (y + v + bow * side[1]) / 2)
            side /= np.hypot(*side) * (
                1 if bow or side[1] < 0 or side[1] == 0 < side[0] else -1
            )  # else above, or right
            across, down = np.round(side).astype(int)
            place = dict(ha=["center", "left", "right"][across], va=["center", "top", "bottom"][down])
            axes.annotate("".join(label), middle, 4 * side * (1, -1), textcoords="offset points", fontsize=9, **place)
        fig.draw_without_rendering()
        shapes = [*patches.items(), *((text.get_text(), text) for text in axes.texts if not text.get_bbox_patch())]
        shapes = [(name, shape.get_window_extent()) for name, shape in shapes if name]
        for (one, here), (other, there) in combinations(shapes, 2):
            if here.overlaps(there):
                plt.close(fig)
                raise ValueError(f"{one!r} and {other!r} cover each other: shorten them, or place boxes further apart")
        figure(fig, alt)


@dataclass(frozen=True)
class Frame:
    """One moment of a game in the plane, for `film`."""

    step: int
    real: np.ndarray  # (N, 2) points
    fake: np.ndarray  # (M, 2) points
    told: np.ndarray  # (M, 2): to where each forged point is told to go
    belief: np.ndarray  # (K, K), D in [0, 1] on a square grid; rows from the bottom up


OPINION = LinearSegmentedColormap.from_list("opinion", ["#F3B183", "#FFFFFF", "#7CC0B6"])  # fake, undecided, real


def film(rows: dict[str, list[Frame]], limit: float, curves: dict[str, tuple] | None = None, *, alt: str) -> None:
    """Display games as film strips, one a row, with equal axes from -limit to limit.

    The ground is what the detective believes; dots are real (dark) and forged (orange), arrows what the forged ones are
    told. curves: by name of a row, (steps (K,), values (S, K)), drawn beneath as a mean with the spread between the
    lowest and the highest of S. Raises ValueError where rows differ in length, for a frame or a curve of another form,
    for more curves than two, and if alt is empty.
    """
    _described(alt)
    columns = {len(frames) for frames in rows.values()}
    if len(columns) != 1 or 0 in columns:
        raise ValueError(f"a film has as many frames in each row, not {sorted(columns)}")
    for frame in chain(*rows.values()):
        if frame.told.shape != frame.fake.shape:
            raise ValueError(f"one arrow for each forged point: {frame.told.shape} for {frame.fake.shape}")
        if not (frame.belief.min() >= 0 and frame.belief.max() <= 1):  # nor nan
            raise ValueError("belief must lie in [0, 1]: take the sigmoid of the scores")
    curves = curves or {}
    if len(curves) > 2 or not {*curves} <= {*rows}:
        raise ValueError(f"at most two curves, named as rows are, {list(rows)}, not {list(curves)}")
    for steps, values in curves.values():
        if values.shape[1:] != steps.shape or not len(values):
            raise ValueError(f"a curve needs steps (K,) and values (S, K), not {steps.shape} and {values.shape}")
    columns = columns.pop()
    wide = 7 / columns
    with plt.rc_context(STYLE | {"font.size": 9, "axes.titlesize": 9}):
        fig = plt.figure(figsize=(7, len(rows) * (wide + 0.35) + 1.8 * bool(curves)))
        sizes = [wide + 0.35] * len(rows) + [1.8] * bool(curves)
        grid = fig.add_gridspec(len(sizes), columns, height_ratios=sizes)
        for i, (name, frames) in enumerate(rows.items()):
            for j, frame in enumerate(frames):
                axes = fig.add_subplot(grid[i, j], aspect="equal", xlim=(-limit, limit), ylim=(-limit, limit))
                square = dict(extent=[-limit, limit] * 2, origin="lower", interpolation="bilinear")
                axes.imshow(frame.belief, cmap=OPINION, vmin=0, vmax=1, **square)
                axes.plot(*frame.real.T, ".", color=INK, ms=2.5, alpha=0.5, mew=0)
                axes.plot(*frame.fake.T, ".", color=SUNSET, ms=3.5, mew=0)
                axes.quiver(*frame.fake.T, *(frame.told - frame.fake).T, color=SUNSET, width=0.006, **DATA_UNITS)
                axes.set_title(f"{TEXT['step']} {frame.step}")
                axes.set_xticks([]), axes.set_yticks([])
                axes.spines[:].set_visible(True)
                if j == 0:
                    axes.set_ylabel(name)
        if curves:
            axes = fig.add_subplot(grid[-1, :], xlabel=TEXT["step"], ylabel=TEXT["modes"])
            for look, (name, (steps, values)) in zip((dict(c=SUNSET), dict(c=WATER, ls="--")), curves.items()):
                axes.plot(steps, values.mean(0), label=name, **look)
                axes.fill_between(steps, values.min(0), values.max(0), color=look["c"], alpha=0.15, lw=0)
            axes.legend(loc="center right")
        figure(fig, alt)


DATA_UNITS = dict(angles="xy", scale_units="xy", scale=1)  # of an arrow: it ends where it is told to


def roll(notes: np.ndarray, steps_per_bar: int = 16, pickup: int = 0, *, alt: str) -> None:
    """Display notes as a piano roll: a bar for each, as long as it sounds, in the colour of its voice.

    notes: (N, 5), the columns of aigc.score. pickup: the steps of an incomplete first bar, which is number 0.
    Raises ValueError as codecs.notes.check does, and if alt is empty.
    """
    _described(alt)
    notes = check(notes)
    start, pitch = notes[:, ONSET] - pickup, notes[:, PITCH]
    with plt.rc_context(STYLE):
        fig, axes = plt.subplots()
        for voice in np.unique(notes[:, VOICE]):
            of = notes[:, VOICE] == voice
            look = dict(height=0.8, color=VOICE_COLORS[voice], edgecolor="white", linewidth=0.5)
            axes.barh(pitch[of], notes[of, DURATION], left=start[of], label=TEXT[VOICES[voice]], **look)
        end = int((start + notes[:, DURATION]).max())
        every = max(1, end // steps_per_bar // 12) * steps_per_bar  # at most a dozen numbers
        axes.set_xticks(range(0, end, every), [str(1 + place // steps_per_bar) for place in range(0, end, every)])
        c = range(12 * (pitch.min() // 12), pitch.max() + 12, 12)
        axes.set_yticks(c, [f"C{p // 12 - 1}" for p in c])  # C4 is the middle one, 60
        axes.set_ylim(pitch.min() - 1.5, pitch.max() + 1.5)
        axes.grid(axis="both", color=INK, alpha=0.15)
        axes.set_axisbelow(True)
        axes.margins(x=0.01)
        axes.set(xlabel=TEXT["bar"], ylabel=TEXT["pitch"])
        fig.legend(loc="outside upper center", ncols=len(VOICES))
        figure(fig, alt)


def staff(
    notes: np.ndarray,
    key: str = "C major",
    steps_per_bar: int = 16,
    pickup: int = 0,
    marked: Iterable = (),
    *,
    alt: str,
) -> None:
    """Display notes as a score. marked: which of them a model made. Arguments and errors: as of engrave.engrave."""
    _described(alt)
    _png(io.BytesIO(engrave(notes, key, steps_per_bar, pickup, marked, SUNSET)), 700, alt)


def audio(notes: np.ndarray, tempo_bpm: float = 80.0) -> Audio:
    """A player for notes (N, 5): MP3, mono, 22 kHz, of what `sound.samples` makes of them.

    The sound begins with the first note. The same notes give the same bytes on one machine.
    Raises ValueError as codecs.notes.to_midi does.
    """
    notes = check(notes).copy()
    notes[:, ONSET] -= notes[:, ONSET].min()
    samples = sound.samples(to_midi(notes, tempo_bpm))
    samples = np.append(np.zeros(RATE // 100), samples)  # MP3 smears the first note a little to the front
    mp3 = io.BytesIO()
    samples *= PEAK / np.abs(samples).max()
    soundfile.write(mp3, samples, RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=0.7)  # 3 kB a second
    player = Audio(data=mp3.getvalue())
    player.mimetype = "audio/mpeg"
    return player


def stream(pieces: Iterable[str]) -> str:
    """Print pieces of text as they come, and return them together."""
    heard = []
    for piece in pieces:
        print(piece, end="", flush=True)
        heard.append(piece)
    print()
    return "".join(heard)


def _png(full: io.BytesIO, width: int, alt: str, text: str = "") -> None:
    png = io.BytesIO()
    colors = Image.open(full).convert("RGB").quantize(256, dither=Image.Dither.NONE)  # a third of the size
    colors.save(png, "PNG", optimize=True)
    data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": text or alt}
    display(data, metadata={"image/png": {"alt": alt, "width": width}}, raw=True)


def _described(alt: str) -> None:
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError('describe the figure for those who cannot see it: alt="Loss against steps, falling to 1.4"')
