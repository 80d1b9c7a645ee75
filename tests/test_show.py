"""Figures and sound: what is displayed, measured; that the same input gives the same bytes; and what is refused."""

import base64
import io
import itertools
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from aigc import show
from aigc.data import chorales


@pytest.fixture
def shown(monkeypatch):
    """What is displayed: pairs of a dictionary of MIME types and its metadata."""
    calls = []
    monkeypatch.setattr(show, "display", lambda data, metadata, raw: calls.append((data, metadata)) if raw else None)
    return calls


def png(data):
    return base64.b64decode(data["image/png"])


@pytest.fixture(scope="module")
def eight_bars():
    piece = chorales("validation")[2]
    return piece.notes[piece.notes[:, 1] + piece.notes[:, 2] <= 8 * piece.steps_per_bar]


BOXES = {"noise": (0, 0), "forger": (1, 0, "model"), "coins": (1, 1, "truth"), "guess": (0, 1, "baseline")}


def test_a_diagram_has_its_boxes_in_colours_that_differ_in_grey_and_is_not_too_wide(shown):
    show.diagram(BOXES, [("noise", "forger"), ("forger", "noise", "again"), ("coins", "forger")], alt="a forger")
    [(data, metadata)] = shown
    assert metadata["image/png"] == {"alt": "a forger", "width": 700} and data["text/plain"] == "a forger"
    pixels = imread(io.BytesIO(png(data)))[..., :3]
    grey = pixels @ [0.299, 0.587, 0.114]
    height, width = grey.shape
    at = lambda x, y: grey[int(height * (0.65 + y) / 2.3) - 18, int(width * (0.5 + x) / 2)]  # above the letters
    model, data_, baseline = at(1, 0), at(0, 0), at(0, 1)
    assert data_ > 0.99 and model < 0.6 and 0.8 < baseline < 0.95
    first = png(data)
    show.diagram(BOXES, [("noise", "forger"), ("forger", "noise", "again"), ("coins", "forger")], alt="a forger")
    assert png(shown[1][0]) == first


def test_formulas_and_line_breaks_of_a_box_stay(shown, monkeypatch):
    written = []
    monkeypatch.setattr(
        plt.Axes,
        "text",
        lambda self, x, y, s, real=plt.Axes.text, **more: written.append(s) or real(self, x, y, s, **more),
    )
    show.diagram(
        {"$\\epsilon_\\theta(x_t, t)$ and $x$": (0, 0), "two\nlines": (1, 0), "a name of many words": (2, 0)},
        [],
        alt="x",
    )
    assert written == ["$\\epsilon_\\theta(x_t, t)$ and $x$", "two\nlines", "a name of many words"]


def test_an_arrow_ends_at_the_edge_of_its_box(shown):
    show.diagram({"a": (0, 0), "b": (1, 0)}, [("a", "b")], alt="an arrow")
    pixels = imread(io.BytesIO(png(shown[0][0])))[..., :3]
    row = pixels[pixels.shape[0] // 2].mean(-1) < 0.5  # through both boxes
    width = len(row)
    between = row[int(0.3 * width) : int(0.7 * width)]
    assert between.all()  # the shaft
    assert not row[int(0.72 * width) : int(0.74 * width)].all()  # and an end, before the letter in the box


@pytest.mark.parametrize(
    "boxes, arrows, alt, says",
    [
        (BOXES, [("noise", "critic")], "x", "critic"),
        (BOXES, [("noise", "noise", "again")], "x", "join two boxes"),
        ({"a": (-1, 0)}, [], "x", "places from 0 on"),
        ({}, [], "x", "places from 0 on"),
        ({**BOXES, "odd": (2, 2, "ghost")}, [], "x", "ghost"),
        ({**BOXES, "odd": (0, 0)}, [], "x", "'noise' and 'odd' cover each other"),
        (BOXES, [("noise", "coins", "first"), ("guess", "forger", "second")], "x", "'first' and 'second' cover"),
        ({"a": (0, 0), "b" * 20: (5, 0), "c": (4, 0)}, [], "x", "'bbb.*' and 'c' cover"),
        (BOXES, [], " ", "cannot see"),
    ],
)
def test_impossible_diagrams_are_refused(shown, boxes, arrows, alt, says):
    with pytest.raises(ValueError, match=says):
        show.diagram(boxes, arrows, alt=alt)
    assert not shown


def test_what_a_reader_sees_is_said_in_one_place(monkeypatch, eight_bars):
    seen = []
    monkeypatch.setattr(show, "figure", lambda fig, alt, text="": seen.append(fig))
    monkeypatch.setattr(show, "TEXT", {name: f"字 {name}" for name in show.TEXT})
    show.roll(eight_bars, alt="a song")
    show.band("bits", 1, 2, 1.5, 3, text="inside")
    said = {text.get_text() for fig in seen for text in fig.findobj(plt.Text) if text.get_text()}
    assert {f"字 {name}" for name in ("bar", "pitch", "soprano", "bass")} < said and "字 baseline 3" in said
    for fig in seen:
        plt.close(fig)


COLORS = (show.SUNSET, show.WATER, show.DUSK, show.SKY, show.GOLD, show.INK)
# How the colour-blind see linear RGB, at full severity (Machado et al. 2009, doi:10.1109/TVCG.2009.113, table 1).
SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
D65 = np.array([0.9505, 1.0, 1.089])  # white


def lab(linear):
    """CIELAB of linear sRGB under D65."""
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    f = xyz / D65
    f = np.where(f > (6 / 29) ** 3, np.cbrt(f), f * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("sight", SIGHT)
def test_palette_stays_apart_for_every_eye(sight):
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in COLORS])
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    seen = lab((linear @ np.array(SIGHT[sight]).T).clip(0, 1))
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 15
    assert len(set(show.VOICE_COLORS)) == 4 and set(show.VOICE_COLORS) <= set(COLORS)


def test_style_is_white_and_as_wide_as_the_page():
    with plt.rc_context():
        show.style()
        assert plt.rcParams["figure.facecolor"] == "white" and plt.rcParams["figure.figsize"][0] == 7
        assert plt.rcParams["axes.prop_cycle"].by_key()["color"][0] == show.WATER


def test_figure_is_displayed_once_with_its_description_and_closed(shown):
    for _ in range(2):
        fig, axes = plt.subplots(figsize=(5, 2))
        axes.plot([1, 3, 2])
        show.figure(fig, alt="A line that rises and falls.")
        assert not plt.get_fignums()
    (data, metadata), (again, _) = shown
    assert metadata == {"image/png": {"alt": "A line that rises and falls.", "width": 500}}
    assert data == again and data["text/plain"] == "A line that rises and falls."
    assert all(word not in png(data) for word in (b"Software", b"matplotlib", b"Date", b"tIME"))


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_nothing_is_shown_without_a_description(shown, alt, eight_bars):
    fig = plt.figure()
    with pytest.raises(ValueError, match="describe the figure"):
        show.figure(fig, alt=alt)
    plt.close(fig)
    with pytest.raises(ValueError, match="describe the figure"):
        show.images(np.zeros((1, 28, 28), np.uint8), alt=alt)
    with pytest.raises(ValueError, match="describe the figure"):
        show.roll(eight_bars, alt=alt)
    with pytest.raises(ValueError, match="describe"):
        show.staff(eight_bars, alt=alt)
    assert not shown and not plt.get_fignums()


def test_images_stand_in_rows_and_keep_their_greys(shown):
    array = np.stack([np.full((28, 28), grey, np.uint8) for grey in (0, 60, 120, 180, 240)])
    show.images(array, columns=3, alt="Five greys.")
    picture = np.round(255 * imread(io.BytesIO(png(shown[0][0])))[:, :, :3]).astype(int)
    assert (picture == picture[:, :, :1]).all()  # grey
    height, width = picture.shape[:2]
    centre = lambda i: picture[int((i // 3 + 0.48) * height / 2), int((i % 3 + 0.48) * width / 3), 0]
    assert [centre(i) for i in range(6)] == pytest.approx([0, 60, 120, 180, 240, 255], abs=1)


def test_labels_stand_above_their_images(shown):
    array = np.zeros((4, 28, 28), np.uint8)
    show.images(array, columns=2, alt="No labels.")
    show.images(array, columns=2, labels=[0, 1, 7, 9], alt="Labels.")
    plain, labelled = (imread(io.BytesIO(png(data))) for data, _ in shown)
    assert labelled.shape[0] > 1.3 * plain.shape[0] and labelled.shape[1] == plain.shape[1]
    above = labelled[: labelled.shape[0] // 8, :, 0]
    assert (above < 0.5).any() and (above > 0.9).mean() > 0.6  # dark digits on white


@pytest.mark.parametrize(
    "array, options, message",
    [
        (np.zeros((3, 28, 28)), {}, "not float64 of shape"),
        (np.zeros((28, 28), np.uint8), {}, r"image\[None\]"),
        (np.zeros((3, 1, 28, 28), np.uint8), {}, "must be"),
        (np.zeros((0, 28, 28), np.uint8), {}, "N >= 1"),
        (np.full((3, 28, 28), 300), {}, "not int64"),
        (np.zeros((3, 28, 28), np.uint8), {"labels": [1, 2]}, "3 images need .* as many labels, not 10 and 2"),
        (np.zeros((3, 28, 28), np.uint8), {"columns": 0}, "columns >= 1"),
    ],
)
def test_what_are_no_images_is_refused(shown, array, options, message):
    with pytest.raises(ValueError, match=message):
        show.images(array, **options, alt="Images.")
    assert not shown


def test_roll_draws_each_voice_in_its_colour(shown, eight_bars):
    show.roll(eight_bars, alt="A roll.")
    show.roll(eight_bars[eight_bars[:, 0] == 1], alt="The alto.")
    for (data, metadata), voices in zip(shown, ({0, 1, 2, 3}, {1}), strict=True):
        assert metadata["image/png"] == {"alt": metadata["image/png"]["alt"], "width": 700}
        pixels = np.round(255 * imread(io.BytesIO(png(data)))[:, :, :3]).astype(int)
        for voice, colour in enumerate(show.VOICE_COLORS):
            rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            assert ((pixels == rgb).all(-1).sum() > 200) == (voice in voices)
    with pytest.raises(ValueError, match="there are no notes"):
        show.roll(eight_bars[:0], alt="Nothing.")
    assert not plt.get_fignums()


@pytest.mark.parametrize("pickup", [0, 4])
def test_bars_are_counted_from_the_first_whole_one(shown, monkeypatch, pickup):
    labels = []
    monkeypatch.setattr(
        show, "figure", lambda fig, alt: labels.append([t.get_text() for t in fig.axes[0].get_xticklabels()])
    )
    notes = np.array([[0, start, 4, 60, 80] for start in range(0, 12 * 3 + pickup, 4)])
    show.roll(notes, steps_per_bar=12, pickup=pickup, alt="Three bars.")
    assert labels == [["1", "2", "3"]]
    plt.close("all")


def test_a_staff_is_small_the_same_again_and_shows_what_a_model_made(shown, eight_bars):
    for marked in ((), (), range(len(eight_bars))):
        show.staff(eight_bars, "A minor", marked=marked, alt="Eight bars.")
    (first, metadata), (again, _), (orange, _) = shown
    assert metadata["image/png"] == {"alt": "Eight bars.", "width": 700} and first["text/plain"] == "Eight bars."
    assert first == again and len(png(first)) < 60_000
    sunset = np.array([0xD5, 0x5E, 0x00]) / 255
    near = lambda data: (np.abs(imread(io.BytesIO(png(data)))[..., :3] - sunset).max(-1) < 0.05).sum()
    assert near(first) == 0 < 1000 < near(orange)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """The sound of the stored pages, also where fluidsynth is installed."""
    monkeypatch.setenv("AIGC_TIMBRE", "plain")


def heard(player):
    assert player.mimetype == "audio/mpeg" and b"audio/mpeg" in player._repr_html_().encode()
    return soundfile.read(io.BytesIO(player.data))


def test_sound_lasts_as_long_as_its_notes_and_neither_clips_nor_clicks(eight_bars):
    notes = eight_bars.copy()
    notes[:, 1] -= notes[:, 1].min()
    seconds = (notes[:, 1] + notes[:, 2]).max() * 60 / 100 / 4
    samples, rate = heard(show.audio(notes, tempo_bpm=100))
    assert rate == 22_050 and samples.ndim == 1
    assert len(samples) / rate == pytest.approx(seconds + 0.21, abs=0.05)
    peak = np.abs(samples).max()
    assert 0.6 < peak < 0.85
    assert np.flatnonzero(np.abs(samples) > 0.1 * peak)[0] / rate < 0.05  # it starts at once
    assert np.abs(samples[:40]).max() < 0.02 and np.abs(samples[-2000:]).max() < 0.02  # from silence to silence
    tenths = np.array_split(samples[: int(seconds * rate)], int(10 * seconds))
    assert all(np.sqrt((part**2).mean()) > 0.01 for part in tenths)  # never silent


def test_sound_is_at_the_pitch_and_louder_at_a_higher_velocity():
    note = np.array([[0, 0, 16, 69, 100]])
    samples, rate = heard(show.audio(note, tempo_bpm=60))
    spectrum = np.abs(np.fft.rfft(samples[:rate]))
    assert spectrum.argmax() == pytest.approx(440, abs=1)  # 1 Hz apart: one second
    two = np.array([[0, 0, 8, 69, 120], [0, 8, 8, 69, 40]])
    samples, rate = heard(show.audio(two, tempo_bpm=60))
    first, second = samples[:rate], samples[2 * rate : 3 * rate]
    assert np.abs(first).max() == pytest.approx(3 * np.abs(second).max(), rel=0.15)


def test_sound_is_quick_small_and_the_same_again(eight_bars):
    show.audio(eight_bars)
    started = time.perf_counter()
    player = show.audio(eight_bars)
    assert time.perf_counter() - started < 5  # 0.3 s where nothing else runs
    assert player.data == show.audio(eight_bars).data and len(player.data) < 100_000
    late = eight_bars + [0, 160, 0, 0, 0]
    assert show.audio(late).data == player.data  # rests before the first note are not heard


@pytest.mark.parametrize("tempo", [0, -1, float("nan")])
def test_sound_without_a_tempo_or_notes_is_refused(eight_bars, tempo):
    with pytest.raises(ValueError, match="tempo_bpm must lie between"):
        show.audio(eight_bars, tempo_bpm=tempo)
    with pytest.raises(ValueError, match="there are no notes"):
        show.audio(eight_bars[:0])


def test_stream_prints_each_piece_when_it_comes(capsys):
    printed = []

    def pieces():
        for piece in ("To ", "be", "?"):
            yield piece
            printed.append(capsys.readouterr().out)

    assert show.stream(pieces()) == "To be?"
    assert printed == ["To ", "be", "?"] and capsys.readouterr().out == "\n"


def frame(step, n=3):
    points = np.array([[0.5, 0.5], [-1.0, 0.2], [0.0, -0.7]])[:n]
    return show.Frame(step, points, -points, -points + 0.3, np.linspace(0, 1, 16).reshape(4, 4))


def test_a_film_has_equal_axes_its_dots_and_its_arrows(monkeypatch):
    drawn = []
    monkeypatch.setattr(show, "figure", lambda fig, alt: drawn.append(fig))
    curves = {"plain": (np.array([0, 10]), np.array([[1, 2], [3, 4]]))}
    show.film({"plain": [frame(0), frame(10)], "other": [frame(0, 2), frame(10, 2)]}, 2.0, curves, alt="a film")
    *panels, below = drawn[0].axes
    assert [axes.get_title() for axes in panels] == ["step 0", "step 10"] * 2
    assert [panels[0].get_ylabel(), panels[1].get_ylabel(), panels[2].get_ylabel()] == ["plain", "", "other"]
    for axes in panels:
        assert axes.get_xlim() == axes.get_ylim() == (-2, 2) and axes.get_aspect() == 1
        [ground] = axes.images
        assert ground.get_extent() == [-2, 2, -2, 2] and ground.get_clim() == (0, 1) and ground.origin == "lower"
    real, fake = panels[0].lines
    assert np.allclose(fake.get_xydata(), -frame(0).real) and np.allclose(real.get_xydata(), frame(0).real)
    arrows = panels[0].collections[0]
    assert np.allclose(arrows.XY, fake.get_xydata())  # where they begin
    assert np.allclose(arrows.U, 0.3) and np.allclose(arrows.V, 0.3) and arrows.scale == 1
    assert below.lines[0].get_ydata().tolist() == [2, 3]  # the mean over the runs


def test_a_film_of_rows_of_different_lengths_is_refused():
    for rows in ({}, {"a": []}, {"a": [frame(0)], "b": [frame(0), frame(1)]}):
        with pytest.raises(ValueError, match="as many frames in each row"):
            show.film(rows, 2.0, alt="a film")
    with pytest.raises(ValueError, match="describe"):
        show.film({"a": [frame(0)]}, 2.0, alt="")


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(told=np.zeros((2, 2))), "one arrow for each"),
        (dict(told=np.zeros((1, 2))), "one arrow for each"),  # it would stretch over all of them
        (dict(belief=np.full((4, 4), 1.5)), "belief must lie"),
        (dict(belief=np.full((4, 4), -0.5)), "belief must lie"),
        (dict(belief=np.full((4, 4), np.nan)), "belief must lie"),
    ],
)
def test_an_impossible_frame_of_a_film_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        show.film({"a": [frame(0), replace(frame(1), **wrong)]}, 2.0, alt="a film")


@pytest.mark.parametrize(
    "names, values, says",
    [
        ("abc", np.zeros((3, 2)), "at most two curves"),
        ("d", np.zeros((3, 2)), "named as rows"),
        ("a", np.zeros(2), "a curve needs"),
        ("a", np.zeros((2, 3)), "a curve needs"),
        ("a", np.zeros((0, 2)), "a curve needs"),
    ],
)
def test_impossible_curves_of_a_film_are_refused(names, values, says):
    with pytest.raises(ValueError, match=says):
        rows = {name: [frame(0)] for name in "abc"}
        show.film(rows, 2.0, {name: (np.arange(2), values) for name in names}, alt="a film")
