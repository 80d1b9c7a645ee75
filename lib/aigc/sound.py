"""What notes sound like: a sum of overtones, or FluidSynth's recorded voices where that program is installed."""

import os
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pretty_midi
import soundfile

RATE = 22_050  # samples a second
AFTER = 0.2  # seconds that are heard after the last note
FONT = Path(pretty_midi.__file__).with_name("TimGM6mb.sf2")  # the recordings, which come with pretty_midi


def samples(midi: pretty_midi.PrettyMIDI) -> np.ndarray:
    """The sound (n,) of a MIDI with at least one note, mono, RATE samples a second, not scaled.

    By FluidSynth, if the system finds that program and $AIGC_TIMBRE is not "plain"; else by pretty_midi alone, so that
    it sounds alike everywhere, as in the stored notebooks. Where FluidSynth fails, a warning says what it said.
    """
    end = int((midi.get_end_time() + AFTER) * RATE)
    program = shutil.which("fluidsynth")
    if program and os.environ.get("AIGC_TIMBRE") != "plain":
        try:
            return _fluidsynth(midi, program, end)
        except (OSError, subprocess.SubprocessError, RuntimeError) as error:
            warnings.warn(f"{program} made no sound, so you hear AIGC_TIMBRE=plain: {error}", stacklevel=2)
    return midi.synthesize(RATE, wave=_tone)[:end]


def _fluidsynth(midi: pretty_midi.PrettyMIDI, program: str, end: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        midi.write(str(Path(folder, "score.mid")))
        shutil.copy(FONT, Path(folder, "font.sf2"))  # beside it, for on Windows it cannot open every path
        command = [program, "-ni", "-r", str(RATE), "-T", "wav", "-F", "sound.wav", "font.sf2", "score.mid"]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
        said = (done.stdout + done.stderr).decode(errors="replace").strip()[-300:]
        try:
            made = soundfile.read(Path(folder, "sound.wav"), always_2d=True)[0].mean(1)  # of left and right
        except soundfile.LibsndfileError as error:
            raise RuntimeError(f"it stopped with {done.returncode} and said {said!r}") from error
    loud = np.flatnonzero(np.abs(made) > 0.02 * np.abs(made).max(initial=0))
    if not len(loud):
        raise RuntimeError(f"all is silent; it said {said!r}")
    made = made[loud[0] :][:end]  # recorded voices take a while to swell,
    made *= np.clip((len(made) - np.arange(len(made))) / (AFTER * RATE), 0, 1)  # and to end
    return np.pad(made, (0, end - len(made)))


def _tone(phase: np.ndarray) -> np.ndarray:
    """One note as a sum of overtones, the higher the softer; it swells over its first periods, for an ear hears a click
    where a sound begins at once."""
    return (1 - np.exp(-phase / 12)) * sum(0.5**k * np.sin((k + 1) * phase) for k in range(5))
