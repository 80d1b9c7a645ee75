"""The data: fixed, disjoint splits of known size; a cache that survives damage; downloads that are checked."""

import errno
import hashlib
import os

import numpy as np
import pytest

from aigc import data, files
from aigc.data.shakespeare import ALPHABET, _speeches
from tools.notebooks import ROOT


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("split, each", [("train", 400), ("validation", 50), ("test", 50)])
def test_digits_are_balanced_and_mixed(split, each):
    images, labels = data.digits(split)
    assert images.shape == (10 * each, 28, 28) and images.dtype == np.uint8 and labels.dtype == np.int64
    assert np.bincount(labels).tolist() == [each] * 10
    assert len(set(labels[:40].tolist())) >= 8  # the first ones show nearly all digits
    assert images.max() == 255 and images.min() == 0


def test_no_digit_is_on_two_sides():
    seen = [{image.tobytes() for image in data.digits(split)[0]} for split in ("train", "validation", "test")]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_plays_are_held_out_whole():
    text = {split: data.shakespeare(split) for split in ("train", "validation", "test")}
    assert "MACBETH:\n" in text["validation"] and "PROSPERO:\n" in text["test"]
    assert "MACBETH:\n" not in text["train"] and "PROSPERO:\n" not in text["train"]
    assert set(text["train"]) == ALPHABET and set(text["validation"] + text["test"]) <= ALPHABET
    assert "\n\n\n" not in text["train"] and "  " not in text["train"]
    assert {split: round(len(letters), -3) for split, letters in text.items()} == {
        "train": 4_343_000,
        "validation": 207_000,
        "test": 238_000,
    }


@pytest.mark.parametrize(
    "direction",
    ("_[Aside]_", "[To Ann]_", "__\\[Awaking]_", "_\\[Sings]_", "*[Reads.]*", "_Burthen _\\[dispersedly, within_", "_"),
)
def test_a_stage_direction_with_a_mark_too_few_takes_no_speech_with_it(direction):
    text = f"**Ann**  \n{direction}  \nWho's there?\n\n_Exit_\n\n**BOB**  \nNay, answer _\\[Aside]_ me."
    assert _speeches(text) == "ANN:\nWho's there?\n\nBOB:\nNay, answer me.\n\n"


def test_data_are_those_that_every_number_was_measured_on():
    splits = ("train", "validation", "test")
    parts = {
        "digits": [array.tobytes() for split in splits for array in data.digits(split)],
        "plays": [data.shakespeare(split).encode() for split in splits],
        "chorales": [piece.notes.tobytes() for split in splits for piece in data.chorales(split)],
    }
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for name, bytes_of in parts.items():
        [row] = [line for line in readme.splitlines() if line.startswith(f"| {name} |")]
        assert hashlib.sha256(b"".join(bytes_of)).hexdigest() in row, (
            f"{name} changed: measure and train everything anew"
        )


@pytest.mark.parametrize("read", [data.digits, data.shakespeare, data.chorales])
def test_other_splits_are_refused(read):
    with pytest.raises(ValueError, match="train, validation, test"):
        read("valid")


def test_arrays_are_made_once_and_again_if_the_file_is_damaged(cache):
    calls = []

    def make():
        calls.append(1)
        return {"a": np.arange(3)}

    for _ in range(2):
        assert files.cached("x.npz", make)["a"].tolist() == [0, 1, 2]
    assert len(calls) == 1
    for content in (b"", b"PK damaged", (cache / "x.npz").read_bytes()[:-9]):
        (cache / "x.npz").write_bytes(content)
        assert files.cached("x.npz", make)["a"].tolist() == [0, 1, 2]
    assert len(calls) == 4 and [path.name for path in cache.iterdir()] == ["x.npz"]
    whole = (cache / "x.npz").read_bytes()
    for i in range(len(whole)):  # wherever a byte is damaged: made again, or as it was where the byte meant nothing
        (cache / "x.npz").write_bytes(whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1 :])
        assert files.cached("x.npz", make)["a"].tolist() == [0, 1, 2], i


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")  # a folder below a file: nobody can make it, not even root
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="cannot write .*x.npz.*AIGC_CACHE"):
        files.cached("x.npz", lambda: pytest.fail("a minute of work for nothing"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions stop")
def test_a_read_only_cache_is_named_with_the_remedy(cache):
    cache.mkdir()
    cache.chmod(0o500)
    with pytest.raises(OSError, match="Permission denied.*AIGC_CACHE"):
        files.cached("x.npz", lambda: {"a": np.zeros(1)})


def test_an_error_of_another_file_keeps_its_name(cache, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        with files.atomic(cache / "x"):
            open(tmp_path / "not there")
    assert "cannot write" not in str(error.value) and "not there" in str(error.value)


def test_an_error_of_the_work_itself_is_not_taken_for_one_of_the_cache(cache):
    def make():
        raise OSError(errno.EIO, "a bad block")  # as of a file that is read: it bears no name

    with pytest.raises(OSError, match="a bad block") as error:
        files.cached("x.npz", make)
    assert "cannot write" not in str(error.value) and list(cache.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_full_disk_leaves_nothing_half_written(cache):
    def write_to_a_full_disk():
        with files.atomic(cache / "x.npz") as partial, open(partial, "wb") as file, open("/dev/full", "wb") as full:
            file.write(b"half")
            full.write(b"x" * 10_000)

    with pytest.raises(OSError, match="No space left.*Free some space") as error:
        write_to_a_full_disk()
    assert error.value.errno == errno.ENOSPC and list(cache.iterdir()) == []


def test_mnist_is_not_downloaded_where_that_is_forbidden(cache, monkeypatch):
    monkeypatch.setenv("AIGC_OFFLINE", "1")
    with pytest.raises(ConnectionError, match="AIGC_OFFLINE=1 forbids it.*Leave out full=True"):
        data.digits(full=True)


def test_mnist_that_cannot_be_kept_is_told_to_move_the_cache(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path / "file"))
    monkeypatch.delenv("AIGC_OFFLINE", raising=False)
    with pytest.raises(OSError, match="cannot write .*mnist.*AIGC_CACHE"):
        data.digits(full=True)


def test_a_file_that_is_not_in_the_cache_is_not_told_to_move_the_cache(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="work in a folder that you may write to") as error:
        with files.atomic(tmp_path / "file" / "x"):
            pass
    assert "AIGC_CACHE" not in str(error.value)
