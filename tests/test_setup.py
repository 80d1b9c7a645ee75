"""tools/setup.py: from nothing, from every half-way state, and its words for what is wrong."""

import ast
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tools" / "setup.py"


LOCK = """alpha==1 \\
    --hash=sha256:a1 \\
    --hash=sha256:a2
nvidia-beta==2 ; sys_platform == 'linux' \\
    --hash=sha256:b1
torch==3 \\
    --hash=sha256:c1 \\
    --hash=sha256:c2
torchmetrics==4 \\
    --hash=sha256:d1
torchvision==5 ; sys_platform != 'never' \\
    --hash=sha256:e1
"""


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """A fresh copy of the module at work in an empty folder, with an installer that only counts its calls."""
    for name in ("PYTHON", "TORCH", "AIGC_ENV"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tools").mkdir()
    (tmp_path / "lib" / "aigc").mkdir(parents=True)
    (tmp_path / "lib" / "aigc" / "__init__.py").touch()
    (tmp_path / "requirements.lock").write_text(LOCK)
    shutil.copy(SCRIPT, tmp_path / "tools" / "setup.py")
    module = load(tmp_path / "tools" / "setup.py")
    module.calls = []
    module.installer = lambda torch: module.calls.append(torch) or [sys.executable, "-c", "print('installed')"]
    module.shutil = SimpleNamespace(
        which=shutil.which, rmtree=shutil.rmtree, disk_usage=lambda path: SimpleNamespace(free=100e9)
    )
    return module


def load(path):
    spec = importlib.util.spec_from_file_location("setup_under_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_installs_once_and_again_when_the_lock_changes(setup):
    setup.install()
    setup.install()
    assert setup.calls == ["full"]
    setup.LOCK.write_text("alpha==2\n")
    setup.install()
    assert setup.calls == ["full", "full"]


def test_the_environment_imports_the_library_in_place(setup):
    setup.install()
    query = [setup.python(), "-c", "import aigc; print(aigc.__file__)"]
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(query, cwd="/", env=bare, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found) == setup.ROOT / "lib" / "aigc" / "__init__.py"


def test_a_failed_installation_is_made_anew(setup):
    good = setup.installer
    setup.installer = lambda torch: [sys.executable, "-c", "raise SystemExit('something odd')"]
    with pytest.raises(setup.SetupError, match="make clean"):
        setup.install()
    (setup.ENV / "leftover").touch()
    setup.installer = good
    setup.install()
    assert not (setup.ENV / "leftover").exists()
    assert json.loads(setup.STAMP.read_text())["torch"] == "full"


def test_a_broken_environment_is_made_anew(setup):
    setup.install()
    Path(setup.python()).unlink()
    setup.install()
    assert setup.probe(setup.python()) == setup.version()
    assert len(setup.calls) == 2


def test_another_interpreter_only_when_asked_for(setup, monkeypatch):
    setup.install()
    setup.version = lambda: "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    setup.install()
    assert len(setup.calls) == 1
    monkeypatch.setenv("PYTHON", "another")
    setup.install()
    assert len(setup.calls) == 2


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL and process groups are POSIX")
def test_killed_half_way_and_run_again(setup):
    started = setup.ROOT / "started"
    code = (
        "import sys; sys.path.insert(0, 'tools'); import setup; setup.check_space = lambda *a, **k: None\n"
        "endless = 'import pathlib, time; pathlib.Path(\"started\").touch(); time.sleep(600)'\n"
        "setup.installer = lambda torch: [sys.executable, '-c', endless]\n"
        "with setup.alone(): setup.install()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=setup.ROOT, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert started.exists(), "the installer never started"
        with open(setup.ROOT / ".setup.lock", "a") as file:
            assert not setup.seize(file), "a second set-up would have run beside the first"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with setup.alone():
        setup.install()
    assert setup.calls == ["full"]
    assert json.loads(setup.STAMP.read_text())["lock"] == setup.digest(setup.LOCK.read_bytes())


def test_caches_are_filled_once_for_each_cache_folder(setup, monkeypatch):
    setup.install()
    (setup.ROOT / "tools" / "prepare.py").write_text("open('filled', 'a').write('x')\n")
    for cache in ("one", "one", "two"):
        monkeypatch.setenv("AIGC_CACHE", cache)
        setup.prepare()
    assert (setup.ROOT / "filled").read_text() == "xx"


def test_caches_that_cannot_be_filled_are_tried_again(setup):
    setup.install()
    (setup.ROOT / "tools" / "prepare.py").write_text("raise SystemExit('no room')\n")
    for _ in range(2):
        with pytest.raises(setup.SetupError, match="caches"):
            setup.prepare()


def test_cpu_torch_leaves_the_gpu_packages_out_and_is_remembered(setup, monkeypatch):
    real = load(setup.ROOT / "tools" / "setup.py").installer
    real.__globals__["find_uv"] = lambda: "uv"
    setup.install()
    command = real("cpu")
    assert "--torch-backend=cpu" in command
    assert "--no-deps" in command and "--compile-bytecode" in command
    cpu = Path(command[-1]).read_text()  # whose torch has other files, and so other hashes
    assert cpu == LOCK.replace(LOCK[LOCK.index("nvidia") : LOCK.index("torch==")], "").replace(
        " \\\n    --hash=sha256:c1 \\\n    --hash=sha256:c2", ""
    ).replace(" \\\n    --hash=sha256:e1", "")
    assert real("full")[-1] == str(setup.LOCK)
    monkeypatch.setenv("TORCH", "cpu")
    setup.install()
    monkeypatch.delenv("TORCH")
    setup.install()
    assert setup.calls == ["full", "cpu"]
    monkeypatch.setenv("TORCH", "gpu")
    with pytest.raises(setup.SetupError, match="TORCH=gpu: expected cpu"):
        setup.install()


def test_pip_stands_in_for_uv(setup):
    setup.install()
    real = load(setup.ROOT / "tools" / "setup.py").installer
    real.__globals__["find_uv"] = lambda: None
    with pytest.raises(real.__globals__["SetupError"], match="needs uv"):
        real("cpu")
    command = real("full")
    assert command[:4] == [setup.python(), "-m", "pip", "install"]
    assert command[-3:] == ["--no-deps", "-r", str(setup.LOCK)]
    subprocess.run([setup.python(), "-m", "pip", "--version"], check=True, capture_output=True)


def test_too_little_space_is_said_before_anything_is_written(setup):
    setup.shutil.disk_usage = lambda path: SimpleNamespace(free=0.5e9)
    with pytest.raises(setup.SetupError, match=r"0\.5 GB are free .* needs about [38] GB"):
        setup.install()
    assert not setup.ENV.exists()


def test_no_network_is_said(setup, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        uv = setup.find_uv()
        tool = [uv, "pip"] if uv else [sys._base_executable, "-m", "pip"]  # one that uv made has no pip of its own
        quick = [] if uv else ["--retries", "1"]
        command = [*tool, "install", *quick, "--index-url", index, "--no-cache-dir", "--target", str(setup.ROOT / "x")]
        with pytest.raises(setup.SetupError, match="no network"):
            setup.run_installer([*command, "no-such-package-of-the-course"])


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("dns error: failed to lookup address information", "no network"),
        ("NewConnectionError: Temporary failure in name resolution", "no network"),
        ("ReadTimeoutError: Read timed out.", "no network"),
        ("ValueError: 1 is not 2", "installer failed"),
    ],
)
def test_the_cause_of_a_failure_is_named(setup, output, cause):
    assert cause in setup.diagnose(output)


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(setup, tmp_path):
    script = (
        "import builtins, runpy, sys\n"
        "def refuse(path, *rest, **more):\n"
        "    raise PermissionError(13, 'Permission denied', str(path))\n"
        "builtins.open = refuse\n"
        "sys.argv = ['setup.py', 'test']\n"
        "runpy.run_path('tools/setup.py', run_name='__main__')\n"
    )
    outcome = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert outcome.returncode == 1
    assert re.fullmatch(r"Set-up: Permission denied \(.*\.setup\.lock\)\. .* copy it to one .*\n", outcome.stderr)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], []])
def test_help_is_given_in_every_spelling(words, capsys):
    assert load(SCRIPT).main(words) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(load(SCRIPT).COMMANDS)
    module = load(SCRIPT)
    module.clean = module.install = module.run = lambda *command: pytest.fail("it has done it")
    for name in ("bands", "clean"):
        assert module.main([name, *words[:1], "--help"]) == 0 and module.main([name, "-h"]) == 0
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [name, name]


@pytest.mark.parametrize(
    "words, everything",
    [
        ([], True), (["-k", "data"], True), (["-x"], True), (["-m", "tests"], True), (["tests/test_data.py"], False),
        (["chapters", "-k", "data"], False), (["tests/test_data.py::test_x"], False), (["-x", "tests"], False),
        (["--tb=short", "tests/test_gpt.py"], False), (["-xvs", "tests"], False), (["-rA", "tests"], False),
        (["--ignore", "tests/test_data.py"], True), (["--deselect", "tests"], True), (["-c", "pyproject.toml"], True),
    ],
)  # fmt: skip
def test_only_a_path_narrows_what_is_tested(words, everything, monkeypatch):
    module, commands = load(SCRIPT), []
    monkeypatch.setattr(module, "run", lambda command: commands.append(command) or 0)
    assert module.test(words) == 0
    assert ("chapters" in commands[-1][7:] and "exercises" in commands[-1]) == everything


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 0), (3, 14, 0)])
def test_other_pythons_are_turned_away(version):
    code = f"import sys; sys.version_info = {version}; exec(compile(open({str(SCRIPT)!r}).read(), 'setup.py', 'exec'))"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert outcome.returncode == 1
    assert "This is Python {}.{}; the course needs 3.11, 3.12 or 3.13".format(*version) in outcome.stderr
    assert outcome.stderr.count("\n") == 2, "the message and nothing else"


def test_old_pythons_can_parse_as_far_as_the_message():
    tree = list(ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Match, ast.Nonlocal)
    assert not [node.lineno for node in tree if isinstance(node, newer)]
    assert not [node.lineno for node in tree if isinstance(node, ast.Raise) and node.cause]
    assert not [
        node.lineno for node in tree if isinstance(node, ast.FunctionDef) and (node.returns or node.args.kwonlyargs)
    ]


def test_a_conda_environment_takes_the_place_of_the_venv(setup, monkeypatch):
    monkeypatch.setenv("AIGC_ENV", "conda")
    module = load(setup.ROOT / "tools" / "setup.py")
    assert module.python() == sys.executable
    assert Path(sys.prefix) == module.ENV
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert "AIGC_ENV: conda" in environment


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other OpenMP libraries")
def test_what_is_started_lets_its_neighbours_work_unless_it_was_told_how_to_wait(monkeypatch, capfd):
    from tools import setup

    ask = [sys.executable, "-c", "import os; print(os.environ.get('GOMP_SPINCOUNT'))"]
    for given, seen in (({}, setup.SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")):
        for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        assert setup.run(ask) == 0
        assert capfd.readouterr().out.split() == [seen]


def test_lab_is_quiet_keeps_its_token_and_leaves_the_home_folder_alone(tmp_path):
    home = tmp_path / "home"
    stranger = home / ".local" / "share" / "jupyter" / "kernels" / "stranger" / "kernel.json"
    stranger.parent.mkdir(parents=True)
    stranger.write_text('{"argv": ["python"], "display_name": "another course", "language": "python"}')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = (
        "import sys; from tools import setup; sys.exit(setup.run([sys.executable, '-m', 'jupyterlab', *sys.argv[1:]]))"
    )
    arguments = ["--no-browser", f"--port={port}", "--IdentityProvider.token=sesame"]
    log = tmp_path / "lab.log"
    environment = dict(os.environ, HOME=str(home))
    with open(log, "w") as file:
        command = [sys.executable, "-c", code, *arguments]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
    try:
        site = f"http://127.0.0.1:{port}"
        wait_for(f"{site}/api", server, log)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{site}/api/kernelspecs", timeout=30)
        assert get(site, "/").geturl().startswith(f"{site}/lab/tree/chapters/00_first_flight.ipynb")
        specs = json.load(get(site, "/api/kernelspecs"))
        assert (specs["default"], list(specs["kernelspecs"])) == ("python3", ["python3"])
        page = get(site, "/lab").read().decode()
        assert '"news": {"disabled": true}' in page
        for plugin, setting, value in (
            ("apputils-extension:notification", "checkForUpdates", False),
            ("apputils-extension:notification", "fetchNews", "false"),
            ("extensionmanager-extension:plugin", "enabled", False),
            ("notebook-extension:tracker", "autoStartDefaultKernel", True),
        ):
            schema = json.load(get(site, f"/lab/api/settings/@jupyterlab/{plugin}"))["schema"]
            assert schema["properties"][setting]["default"] == value, (plugin, setting)
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert "Extension Manager is 'readonly'" in log.read_text()
    kept = [path for path in home.rglob("*") if path.is_file() and ".cache" not in path.parts]
    assert kept == [stranger], "Jupyter's files belong into the folder of the course"


def wait_for(url, server, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer within two minutes:\n{log.read_text()}")


def get(site, path):
    return urllib.request.urlopen(f"{site}{path}{'&' if '?' in path else '?'}token=sesame", timeout=60)
