"""What notes sound like: a sum of overtones, or FluidSynth's instruments where that program is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pretty_midi
import soundfile

RATE = 22_050  # samples a second
AFTER = 0.2  # seconds that are heard after the last note
FONT = Path(pretty_midi.__file__).with_name("TimGM6mb.sf2")  # recorded instruments, which come with pretty_midi
AGAIN = "set AIGC_TIMBRE=plain to do without it, or install it again"


def samples(midi: pretty_midi.PrettyMIDI) -> np.ndarray:
    """The sound (n,) of a MIDI with at least one note, mono, RATE samples a second, not scaled.

    By FluidSynth, if the system finds that program and $AIGC_TIMBRE is not "plain"; else by pretty_midi alone, so that
    it sounds alike everywhere, as in the stored notebooks. Raises RuntimeError if FluidSynth fails.
    """
    program = shutil.which("fluidsynth")
    if program and os.environ.get("AIGC_TIMBRE") != "plain":
        return _fluidsynth(midi, program)
    return midi.synthesize(RATE, wave=_tone)[: int((midi.get_end_time() + AFTER) * RATE)]


def _fluidsynth(midi: pretty_midi.PrettyMIDI, program: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        score, wave = Path(folder, "score.mid"), Path(folder, "sound.wav")
        midi.write(str(score))
        command = [program, "-ni", "-q", "-r", str(RATE), "-T", "wav", "-F", str(wave), str(FONT), str(score)]
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=60).stderr.strip()
            made = soundfile.read(wave, always_2d=True)[0].mean(1)  # of left and right
        except (OSError, subprocess.TimeoutExpired, soundfile.LibsndfileError) as error:
            raise RuntimeError(f"{program} made no sound ({error}): {AGAIN}") from error
    if not np.abs(made).max(initial=0) > 0:
        raise RuntimeError(f"{program} made no sound ({said[:200]}): {AGAIN}")
    made = made[np.flatnonzero(np.abs(made) > 0.02 * np.abs(made).max())[0] :]  # recorded voices take a while to swell
    end = int((midi.get_end_time() + AFTER) * RATE)
    return made[:end] * np.clip((end - np.arange(len(made[:end]))) / (AFTER * RATE), 0, 1)  # and to end


def _tone(phase: np.ndarray) -> np.ndarray:
    """One note as a sum of overtones, the higher the softer; it swells over its first periods, for an ear hears a click
    where a sound begins at once."""
    return (1 - np.exp(-phase / 12)) * sum(0.5**k * np.sin((k + 1) * phase) for k in range(5))
