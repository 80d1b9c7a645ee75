"""The guard that proves that nothing needs a network: here it must catch every way out, in every kind of process."""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
ELSEWHERE = "192.0.2.1"  # reserved for documentation (RFC 5737): nobody answers there


@pytest.fixture
def log(tmp_path, monkeypatch):
    path = tmp_path / "network.log"
    path.touch()
    monkeypatch.setenv("AIGC_NETWORK_LOG", str(path))
    return path


def test_this_session_is_watched():
    assert os.environ.get("AIGC_NETWORK_LOG"), "run pytest from the repository's root, where conftest.py is"
    assert str(ROOT / "tests" / "offline") in os.environ["PYTHONPATH"].split(os.pathsep)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: socket.create_connection((ELSEWHERE, 80), timeout=1),
        lambda: socket.socket().connect((ELSEWHERE, 80)),
        lambda: socket.socket().connect_ex((ELSEWHERE, 80)),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"?", (ELSEWHERE, 53)),
        lambda: socket.getaddrinfo("example.org", 443),
        lambda: socket.gethostbyname("example.org"),
        lambda: urllib.request.urlopen(f"http://{ELSEWHERE}/", timeout=1),
    ],
)
def test_every_way_out_is_refused_and_recorded(attempt, log):
    with pytest.raises(OSError, match="allow no connection"):
        attempt()
    assert "test_offline.py" in log.read_text()


def test_this_machine_may_talk_to_itself(log):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(("localhost", server.getsockname()[1]), timeout=5) as client:
            connection, _ = server.accept()
            with connection:
                client.sendall(b"here")
                assert connection.recv(4) == b"here"
    assert log.read_text() == ""


def test_the_kernel_of_a_notebook_is_watched(log):
    attempt = f"socket.socket().connect(('{ELSEWHERE}', 80))"
    source = f"import socket\ntry:\n    {attempt}\nexcept OSError as error:\n    print(error)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, kernel_name="python3").execute()
    assert "allow no connection" in notebook.cells[0].outputs[0].text
    assert ELSEWHERE in log.read_text()


def test_a_session_fails_even_if_the_code_hides_its_attempt(tmp_path, monkeypatch):
    for name in ("conftest.py", "tests/offline/sitecustomize.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "test_sly.py").write_text(
        f"import socket\ndef test_sly():\n    try:\n        socket.create_connection(('{ELSEWHERE}', 80))\n"
        "    except OSError:\n        assert True\n"
    )
    monkeypatch.delenv("AIGC_NETWORK_LOG")
    monkeypatch.delenv("PYTHONPATH")
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."]
    session = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert session.returncode == 1, session.stdout + session.stderr
    assert "1 passed" in session.stdout
    assert ELSEWHERE in session.stdout
