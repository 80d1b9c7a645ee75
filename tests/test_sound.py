"""Two ways to the same sound: as long as its notes, from silence to silence; one of them needs a program."""

import os
import shutil
import stat
import sys

import numpy as np
import pytest

from aigc import course, show, sound
from aigc.codecs.notes import to_midi

A_FOURTH = np.array([[0, 0, 8, 69, 100], [0, 8, 8, 74, 100]])  # two seconds at 120 beats a minute
PROGRAM = """
import sys, wave
import numpy as np
{first}
at = lambda flag: sys.argv[sys.argv.index(flag) + 1]
assert at("-r") == "22050" and [open(path, "rb").read(4) for path in sys.argv[-2:]] == [b"RIFF", b"MThd"]
both = np.zeros((int(SECONDS * 22050), 2), np.int16)  # nothing for half a second, then 440 Hz on the left only
both[11025:, 0] = 8000 * np.sin(2 * np.pi * 440 * np.arange(len(both) - 11025) / 22050)
with wave.open(at("-F"), "wb") as file:
    file.setparams((2, 2, 22050, 0, "NONE", ""))
    file.writeframes(both.tobytes())
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Puts a program of that name where the system finds it; its first line can be chosen."""
    if os.name == "nt":
        pytest.skip("there a script is no program")

    def install(first="SECONDS = 3"):
        (tmp_path / "program.py").write_text(PROGRAM.format(first=first))
        path = tmp_path / "fluidsynth"
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/program.py" "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.delenv("AIGC_TIMBRE", raising=False)

    return install


@pytest.mark.parametrize("seconds", [3, 2.6])  # also where it ends with the last note
def test_the_program_plays_what_is_there_and_the_sound_begins_with_the_first_note(installed, seconds):
    installed(f"SECONDS = {seconds}")
    made = sound.samples(to_midi(A_FOURTH, 120))
    assert made.ndim == 1 and len(made) == int(2.2 * sound.RATE)
    assert np.abs(made[:50]).max() > 0.05 and made.max() == pytest.approx(4000 / 2**15, rel=0.01)  # of left and right
    assert np.abs(np.fft.rfft(made[: sound.RATE])).argmax() == pytest.approx(440, abs=1)
    last = np.flatnonzero(made)[-1]
    assert np.abs(made[last - 100 :]).max() < 0.01 < np.abs(made[last - 4000 : last - 2000]).max()  # it fades
    course.audible(show.audio(A_FOURTH, 120))


def test_plain_asks_no_program_and_neither_does_a_system_without_it(installed, monkeypatch):
    installed("sys.exit('this should not run')")
    midi = to_midi(A_FOURTH, 120)
    monkeypatch.setenv("AIGC_TIMBRE", "plain")
    made = sound.samples(midi)
    monkeypatch.delenv("AIGC_TIMBRE")
    monkeypatch.setenv("PATH", "")
    assert np.array_equal(made, sound.samples(midi)) and len(made) == int(2.2 * sound.RATE)


@pytest.mark.parametrize(
    "first, said",
    [("sys.exit('no voices')", "stopped with 1.*no voices"), ("SECONDS, np.sin = 3, np.zeros_like", "silent")],
)
def test_a_program_that_makes_no_sound_is_reported_and_the_music_goes_on(installed, first, said, monkeypatch):
    installed(first)
    midi = to_midi(A_FOURTH, 120)
    with pytest.warns(UserWarning, match=f"fluidsynth made no sound.*AIGC_TIMBRE=plain.*{said}"):
        made = sound.samples(midi)
    monkeypatch.setenv("AIGC_TIMBRE", "plain")
    assert np.array_equal(made, sound.samples(midi))


@pytest.mark.skipif(not shutil.which("fluidsynth"), reason="fluidsynth is not installed")
def test_the_program_itself_plays_these_pitches(monkeypatch):
    monkeypatch.delenv("AIGC_TIMBRE", raising=False)
    made = sound.samples(to_midi(A_FOURTH, 120))
    for start, hertz in ((0.3, 440), (1.3, 587.3)):
        part = made[int(start * sound.RATE) :][: sound.RATE // 2]
        loudest = np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax() * 2  # Hz: half a second
        assert min(abs(loudest - harmonic * hertz) for harmonic in (1, 2, 3)) < 12
    course.audible(show.audio(A_FOURTH, 120))


def test_a_note_swells_and_does_not_begin_at_once():
    period = np.linspace(0, 2 * np.pi, 500)
    first, tenth = (np.abs(sound._tone(period + 2 * np.pi * n)).max() for n in (0, 9))
    assert first < 0.5 * tenth and sound._tone(np.zeros(1)) == 0
