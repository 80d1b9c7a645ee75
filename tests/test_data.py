"""The data: fixed, disjoint splits of known size; a cache that survives damage; downloads that are checked."""

import errno
import hashlib
import http.server
import os
import threading

import numpy as np
import pytest

from aigc import data
from aigc.data import fetch
from aigc.data.shakespeare import ALPHABET
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
        assert fetch.cached("x.npz", make)["a"].tolist() == [0, 1, 2]
    assert len(calls) == 1
    for content in (b"", b"PK damaged", (cache / "x.npz").read_bytes()[:-9]):
        (cache / "x.npz").write_bytes(content)
        assert fetch.cached("x.npz", make)["a"].tolist() == [0, 1, 2]
    assert len(calls) == 4 and [path.name for path in cache.iterdir()] == ["x.npz"]


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")  # a folder below a file: nobody can make it, not even root
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="cannot write .*x.npz.*AIGC_CACHE"):
        fetch.cached("x.npz", lambda: {"a": np.zeros(1)})


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions stop")
def test_a_read_only_cache_is_named_with_the_remedy(cache):
    cache.mkdir()
    cache.chmod(0o500)
    with pytest.raises(OSError, match="Permission denied.*AIGC_CACHE"):
        fetch.cached("x.npz", lambda: {"a": np.zeros(1)})


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_full_disk_leaves_nothing_half_written(cache):
    def write_to_a_full_disk():
        with fetch.atomic(cache / "x.npz") as partial, open(partial, "wb") as file, open("/dev/full", "wb") as full:
            file.write(b"half")
            full.write(b"x" * 10_000)

    with pytest.raises(OSError, match="No space left.*Free some space") as error:
        write_to_a_full_disk()
    assert error.value.errno == errno.ENOSPC and list(cache.iterdir()) == []


class Server:
    """A server on this machine that hands out `body`, or `status`, after `failures` broken answers."""

    def __init__(self, body=b"", failures=0, status=200):
        self.requests, outer = 0, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests += 1
                broken = outer.requests <= failures
                self.send_response(503 if broken else status)
                self.send_header("Content-Length", str(0 if broken else len(body)))
                self.end_headers()
                self.wfile.write(b"" if broken else body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/file"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


BODY = b"bytes that we know"
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def online(monkeypatch):
    monkeypatch.delenv("AIGC_OFFLINE", raising=False)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)  # pooch waits between its tries


def test_a_file_is_downloaded_once(cache, online):
    with Server(BODY) as server:
        path = fetch.fetch(server.url, SHA256, "sub/file.bin")
        assert path.read_bytes() == BODY and path == cache / "sub" / "file.bin"
        fetch.fetch(server.url, SHA256, "sub/file.bin")
        assert server.requests == 1
        path.write_bytes(b"damaged")
        assert fetch.fetch(server.url, SHA256, "sub/file.bin").read_bytes() == BODY and server.requests == 2
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_a_server_that_fails_at_first_is_asked_again(cache, online):
    with Server(BODY, failures=2) as server:
        assert fetch.fetch(server.url, SHA256, "file.bin").read_bytes() == BODY and server.requests == 3


def test_other_bytes_are_refused_and_not_kept(cache, online):
    with Server(b"other bytes") as server, pytest.raises(ValueError, match="does not hold the bytes we know"):
        fetch.fetch(server.url, SHA256, "file.bin")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("status", [404, 500])
def test_what_cannot_be_had_is_a_connection_error(cache, online, status):
    with Server(status=status) as server, pytest.raises(ConnectionError, match="cannot download.*Check the network"):
        fetch.fetch(server.url, SHA256, "file.bin")
    assert list(cache.iterdir()) == []


def test_offline_nothing_is_asked_for_and_what_is_cached_is_found(cache, monkeypatch):
    monkeypatch.setenv("AIGC_OFFLINE", "1")
    with Server(BODY) as server:
        with pytest.raises(ConnectionError, match="AIGC_OFFLINE=1 forbids.*Unset"):
            fetch.fetch(server.url, SHA256, "file.bin")
        assert server.requests == 0
    cache.mkdir()
    (cache / "file.bin").write_bytes(BODY)
    assert fetch.fetch("http://nowhere.invalid/", SHA256, "file.bin").read_bytes() == BODY
