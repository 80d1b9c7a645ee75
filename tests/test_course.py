"""Seeds, devices, bands and the closing table of a chapter."""

import json

import numpy as np
import pytest
import torch

from aigc import course
from tools.bands import band

BAND = {
    "quantity": "text, held out",
    "unit": "bits",
    "causes": "Usually fewer steps.",
    "low": 2.1,
    "high": 2.3,
    "seeds": {},
}


@pytest.fixture
def bands(tmp_path, monkeypatch):
    path = tmp_path / "bands.json"
    path.write_text(json.dumps({"03.bits": BAND}))
    monkeypatch.setattr(course, "BANDS", path)
    for name in ("AIGC_RECORD", "AIGC_SEED", "AIGC_DEVICE"):
        monkeypatch.delenv(name, raising=False)


def test_inside_the_band_the_line_does_not_depend_on_the_value(bands, capsys):
    course.expect("03.bits", 2.11)
    course.expect("03.bits", torch.tensor(2.3))
    first, second = capsys.readouterr().out.splitlines()
    assert first == second == "03.bits: inside the band, 2.1 to 2.3 bits"


@pytest.mark.parametrize("value, says", [(2.5, "0.2 above"), (1.9, "0.2 below")])
def test_outside_it_says_how_far_and_why(bands, capsys, value, says):
    course.expect("03.bits", value)
    line = capsys.readouterr().out
    assert says in line and "Usually fewer steps." in line and "inside" not in line


def test_what_is_no_measurement_is_refused(bands):
    with pytest.raises(ValueError, match="no measurement.*fewer steps"):
        course.expect("03.bits", float("nan"))
    with pytest.raises(KeyError, match="make bands"):
        course.expect("03.unknown", 1.0)


def test_closing_table_has_what_was_expected_since_the_start(bands, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(course, "display", lambda table: shown.append(table.data))
    course.expect("03.bits", 1.0)
    course.start("03")
    course.expect("03.bits", 2.2, baseline=5.98)
    course.summary()
    assert shown[0].splitlines()[2:] == ["| text, held out | 5.98 | 2.2 | 2.1 to 2.3 bits |"]


def test_start_seeds_everything_and_prints_the_same_line_everywhere(bands, capsys, monkeypatch):
    draws = []
    for _ in range(2):
        course.start("03", seed=4)
        draws.append((torch.rand(1).item(), np.random.rand()))
    assert draws[0] == draws[1]
    monkeypatch.setenv("AIGC_SEED", "5")
    course.start("03", seed=4)
    assert torch.rand(1).item() != draws[0][0] and course.seed() == 5
    assert set(capsys.readouterr().out.splitlines()) == {"Chapter 03 is ready."}


def test_device_is_what_was_asked_for_or_says_why_not(bands, monkeypatch):
    monkeypatch.setenv("AIGC_DEVICE", "cpu")
    assert course.start("03") == torch.device("cpu")
    monkeypatch.setenv("AIGC_DEVICE", "abacus")
    with pytest.raises(ValueError, match="AIGC_DEVICE=abacus.*Choose cpu, cuda or mps"):
        course.start("03")


def test_recording_writes_every_value_and_never_complains(bands, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AIGC_RECORD", str(tmp_path / "record"))
    course.expect("03.bits", 99)
    course.expect("03.new", 1)
    lines = [json.loads(line) for line in (tmp_path / "record").read_text().splitlines()]
    assert lines == [{"key": "03.bits", "value": 99}, {"key": "03.new", "value": 1}]
    assert capsys.readouterr().out == ""


def test_a_band_holds_all_that_was_measured_with_room_on_either_side():
    assert band([2.0, 2.2, 2.1]) == (1.8, 2.4)
    assert band([5.0, 5.0]) == (4.95, 5.05)  # no spread: one per cent
    assert band([-5.0, -5.0]) == (-5.05, -4.95)
    assert band([0.02, 0.98], "of all") == (0, 1)
    assert band([0.5, 0.5], "of all") == (0.45, 0.55)


def test_every_published_band_is_whole():
    for key, entry in json.loads(course.BANDS.read_text(encoding="utf-8")).items():
        assert set(entry) == {"quantity", "unit", "causes", "low", "high", "seeds"}, key
        assert entry["quantity"] and len(entry["causes"]) > 20, f"{key}: write its quantity, unit and causes by hand"
        measured = [value for values in entry["seeds"].values() for value in values]
        assert len(entry["seeds"]["cpu"]) >= 5 and (entry["low"], entry["high"]) == band(measured, entry["unit"]), key
