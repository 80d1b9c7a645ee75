"""Makes .venv where it is missing or out of date, and runs the commands that `make` lists.

Needs only an installed Python; old ones get as far as the message that turns them away.
"""

from __future__ import print_function

import sys

OLDEST, NEWEST = (3, 11), (3, 13)
if not OLDEST <= sys.version_info[:2] <= NEWEST:
    sys.exit(
        "This is Python {}.{}; the course needs 3.11, 3.12 or 3.13. Install one of them and name it:\n"
        "    PYTHON=python3.13 make lab          (Windows: py -3.13 tools\\setup.py lab)".format(*sys.version_info[:2])
    )

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONDA = os.environ.get("AIGC_ENV") == "conda"  # set by environment.yml: the active environment takes .venv's place
ENV = Path(sys.prefix) if CONDA else ROOT / ".venv"
OLD = ROOT / ".venv.old"
STAMP = ENV / "aigc.json"  # what was installed: absent before, {} while an installer is at work
LOCK = ROOT / "requirements.lock"
WINDOWS = os.name == "nt"
# How long an idle thread of GNU OpenMP watches for work before it sleeps. By default so long that two notebooks open at
# once slow each other fivefold; one that sleeps at once makes a single notebook half as slow again.
SPINS = "3000"
GPU_PACKAGES = ("cuda-", "nvidia-", "triton")

COMMANDS = {
    "lab": 'open JupyterLab on first flight (ARGS="--no-browser --port=8899" is handed on)',
    "test": "check everything: ruff, unit tests, book rules, every notebook",
    "notebooks": "execute the chapters' .py and write their .ipynb (ONLY=03 for one)",
    "check": "run your sheets in my/ and tell, exercise by exercise, what passes (ARGS=01 for one)",
    "exercises": "derive exercises/ from solutions/",
    "class": "make a folder for teaching with nbgrader (ARGS=../class), or bring its sheets up to date",
    "checkpoints": "train the models in data/checkpoints/ from scratch",
    "bands": "measure over seeds and processors the bands in which results should fall",
    "processors": "run every notebook as on other processors (ARGS=laptop for one, ONLY=03)",
    "lock": "resolve pyproject.toml into requirements.lock (ARGS=--upgrade for the newest versions)",
    "clean": "remove .venv and everything else that can be made again",
}


class SetupError(Exception):
    """Something that the person at the keyboard can mend; the message says how."""


def main(arguments):
    command, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    helps = {"help", "-h", "--help"}
    asked = [name for name in COMMANDS if command == name or command in helps]
    if command in helps or helps.intersection(rest) and asked and command not in ("lab", "test"):  # they have their own
        print("\n".join("{:12} {}".format(name, COMMANDS[name]) for name in asked))
        return 0
    if command not in COMMANDS:
        raise SetupError("{!r} is no command; there are: {}.".format(command, ", ".join(COMMANDS)))
    if command == "clean":
        return clean()
    if command == "lock":
        return lock(rest)
    with alone():
        install()
        prepare()
    if command == "lab":
        sheets()
        return run([python(), "-m", "jupyterlab"] + rest)
    if command == "check":
        return run([python(), "-m", "tools.my", "--check"] + rest)
    if command == "class":
        return run([python(), "-m", "tools.teach"] + rest)
    if command == "test":
        return test(rest)
    return run([python(), "-m", "tools." + command] + rest)


def test(arguments):
    """ruff and pytest, each run whatever the other says; the exit status counts both."""
    cores = os.cpu_count() or 1
    workers = min(4, cores)
    os.environ.setdefault("OMP_NUM_THREADS", str(cores // workers))  # else the workers' threads fight for the cores
    folders = [name for name in ("tests", "chapters", "exercises", "solutions") if (ROOT / name).is_dir()]
    alone = re.compile("[^-]|$|-[xvqsl]$|-[a-zA-Z]{2}|--(lf|ff|sw)$|.*=")  # behind any other option stands its value
    paths = [word for before, word in zip([""] + arguments, arguments) if word[:1] != "-" and alone.match(before)]
    chosen = any((ROOT / word.split("::")[0]).exists() for word in paths)
    pytest = [python(), "-m", "pytest", "-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder", "--nbval"]
    checks = {
        "ruff check": [python(), "-m", "ruff", "check", "."],
        "ruff format": [python(), "-m", "ruff", "format", "--check", "."],
        "pytest": pytest + arguments + ([] if chosen else folders),
    }
    failed = [name for name, check in checks.items() if run(check) != 0]
    if failed:
        print("make test: failed: {}. What to do stands above.".format(", ".join(failed)))
    return int(bool(failed))


def sheets():
    """Puts into my/ what a learner does not have yet; no Python is started where that is nothing."""
    derived, seen = ROOT / "exercises" / "derived.json", ROOT / "my" / ".seen"
    state = digest(derived.read_bytes()) if derived.exists() else ""
    there = all((ROOT / "my" / path.name).exists() for path in (ROOT / "exercises").glob("*.ipynb"))
    if not state or there and seen.exists() and seen.read_text() == state:
        return
    if run([python(), "-m", "tools.my"]) == 0:
        seen.write_text(state)


def lock(arguments):
    uv = find_uv()
    if not uv:
        raise SetupError("`make lock` needs uv, which is not installed. See its documentation, or `pip install uv`.")
    options = "--universal --python-version 3.11 --override overrides.txt --no-header --no-annotate --quiet".split()
    options += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--output-file", LOCK.name]
    return run([uv, "pip", "compile"] + options + arguments + ["pyproject.toml"])


def clean():
    """Caches of data stay: they are shared by every copy of the course."""
    for name in (".venv", ".venv.old", ".jupyter", ".pytest_cache", ".ruff_cache", ".hypothesis", ".setup.lock"):
        remove(ROOT / name)
    for folder in ("lib", "tests", "tools"):
        for cache in (ROOT / folder).rglob("__pycache__"):
            remove(cache)
    return 0


# The environment


def install():
    """The environment holds what requirements.lock names, or SetupError is raised."""
    asked_torch = os.environ.get("TORCH", "")
    if asked_torch not in ("", "cpu", "full"):
        raise SetupError("TORCH={}: expected cpu (5 GB less, no CUDA) or full.".format(asked_torch))
    stamp, found = read_stamp(), probe(python())
    torch = asked_torch or (stamp or {}).get("torch") or "full"
    if not CONDA and ENV.exists():
        other_python = "PYTHON" in os.environ and found != version()
        other_torch = stamp and torch != stamp.get("torch")
        if stamp == {} or other_python or other_torch or not supported(found):
            print("The environment in {} is incomplete, broken or another one: making it anew.".format(ENV.name))
            remove(OLD)
            ENV.rename(OLD)  # first out of the way: a removal that is interrupted leaves nothing that looks whole
            remove(OLD)
            stamp, found = None, None
    wanted = {"lock": digest(LOCK.read_bytes()), "python": found or version(), "torch": torch}
    if stamp == wanted:
        return
    check_space(torch, update=bool(stamp))
    if not found:
        make_venv()
    STAMP.write_text("{}")
    print("Installing {} into {}; the first time takes minutes.".format(LOCK.name, ENV.name), flush=True)
    run_installer(installer(torch))
    write_path()
    STAMP.write_text(json.dumps(wanted))


def read_stamp():
    """None: no environment of ours. {}: one that an interrupted installer left. Else what is installed."""
    try:
        return json.loads(STAMP.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}


def make_venv():
    ENV.mkdir()
    STAMP.write_text("{}")
    base = sys._base_executable  # not the environment's own, should it be active
    outcome = subprocess.run([base, "-m", "venv", "--without-pip", str(ENV)], capture_output=True, text=True)
    if outcome.returncode:
        raise SetupError("cannot make {}:\n{}".format(ENV, outcome.stdout + outcome.stderr))


def installer(torch):
    """The command that installs the lock: uv's where uv is found, else pip's."""
    uv, requirements = find_uv(), LOCK
    if torch == "cpu":
        if not uv:
            raise SetupError(
                "TORCH=cpu needs uv, which knows where CPU-only builds are. Install uv, or leave TORCH out."
            )
        kept = [entry for entry in re.split(r"(?m)^(?=\w)", LOCK.read_text()) if not entry.startswith(GPU_PACKAGES)]
        requirements = ENV / "requirements-cpu.lock"  # its torch is another file than the lock's, with another hash
        requirements.write_text(re.sub(r"(?m)^((?:torch|torchvision)==.*) \\\n(?: .*\n?)+", r"\1\n", "".join(kept)))
    if uv:
        backend = ["--torch-backend=cpu"] if torch == "cpu" else []
        fixed = ["--no-deps", "--compile-bytecode"]  # as pip does: else each start of Python would compile torch again
        return [uv, "pip", "install", "--python", python()] + fixed + backend + ["-r", str(requirements)]
    has_pip = subprocess.run([python(), "-c", "import pip"], capture_output=True).returncode == 0
    if not has_pip and subprocess.run([python(), "-m", "ensurepip"], capture_output=True).returncode:
        raise SetupError(
            "this Python lacks ensurepip. Install it (Debian, Ubuntu: the package python3-venv), or install uv."
        )
    return [python(), "-m", "pip", "install", "--no-input", "--retries", "5", "--no-deps", "-r", str(requirements)]


def run_installer(command):
    """Shows what the installer says as it comes; a failure becomes a SetupError that names its cause."""
    environment = dict(os.environ, UV_PYTHON_DOWNLOADS="never", PYTHONUNBUFFERED="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    lines = []
    with subprocess.Popen(
        command, cwd=str(ROOT), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, encoding="utf-8", errors="replace", close_fds=WINDOWS,
    ) as process:  # fmt: skip
        for line in process.stdout:
            lines = lines[-40:] + [line]
            print(line, end="", flush=True)
    if process.returncode:
        raise SetupError(diagnose("".join(lines)))


def diagnose(output):
    again = "Nothing is lost: the same command goes on from what was downloaded."
    causes = (
        (r"no space left|errno 28|disk quota|not enough space", "the disk is full. Free about 8 GB and try again. "),
        (
            r"dns error|name resolution|failed to resolve|network is unreachable|timed? ?out|error sending request"
            r"|failed to fetch|connection|newconnectionerror|could not connect|getaddrinfo",
            "no network, or the package index does not answer. Connect this machine (or set its proxy) and try again. ",
        ),
    )
    for pattern, cause in causes:
        if re.search(pattern, output, re.IGNORECASE):
            return cause + again
    return "the installer failed; its last lines stand above. `make clean` and a new start mend a damaged environment."


def check_space(torch, update):
    """Before an installer starts, room for what it will need; CUDA comes with torch on Linux alone."""
    needed = 1 if update else 8 if torch == "full" and sys.platform == "linux" else 3
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if free < needed:
        hint = " Or take TORCH=cpu, which needs 3 GB." if needed == 8 else ""
        said = "{:.1f} GB are free where {} lies; the set-up needs about {} GB. Free some.{}"
        raise SetupError(said.format(free, ROOT, needed, hint))


def write_path():
    """`import aigc` finds lib/ by one line in a .pth: an editable install would build, and so download, a back end.

    The line is relative, because not every Python reads non-ASCII paths there.
    """
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python(), "-c", query], capture_output=True, text=True, check=True).stdout.strip()
    with contextlib.suppress(ValueError):  # two drives of Windows have no relative path
        Path(site, "aigc.pth").write_text(os.path.relpath(str(ROOT / "lib"), site) + "\n")
        return
    Path(site, "aigc.pth").write_text(str(ROOT / "lib") + "\n", encoding="utf-8")


def prepare():
    """Fills the caches once for each environment, cache folder and state of the code that fills them."""
    places = ("tools/prepare", "lib/aigc/files", "lib/aigc/score", "lib/aigc/data/*")
    sources = [path for place in places for path in sorted(ROOT.glob(place + ".py"))]
    state = digest(b"".join(p.read_bytes() for p in [STAMP] + sources) + os.environ.get("AIGC_CACHE", "").encode())
    done = ENV / "aigc-prepared"
    if done.exists() and done.read_text() == state:
        return
    if run([python(), "-m", "tools.prepare"]):
        raise SetupError("the caches could not be filled; the reason stands above. The same command tries again.")
    done.write_text(state)


def python():
    if CONDA:
        return sys.executable
    return str(ENV / ("Scripts/python.exe" if WINDOWS else "bin/python"))


def version():
    return "{}.{}".format(*sys.version_info[:2])


def probe(interpreter):
    """The version of an interpreter that runs, else None."""
    query = "import encodings, ssl, sys; print('{}.{}'.format(*sys.version_info[:2]))"
    try:
        return subprocess.run([interpreter, "-c", query], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def supported(found):
    return found is not None and OLDEST <= tuple(map(int, found.split("."))) <= NEWEST


def find_uv():
    """The path of a uv that runs (a name on the PATH may be a launcher that does not), or None."""
    uv = shutil.which("uv")
    return uv if uv and subprocess.run([uv, "--version"], capture_output=True).returncode == 0 else None


def digest(content):
    return hashlib.sha256(content).hexdigest()


def remove(path):
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError("cannot remove {}: {}. Close JupyterLab and what else uses it.".format(path, error))


@contextlib.contextmanager
def alone():
    """One set-up at a time in this folder. The lock dies with the last process that holds it, installers included."""
    with open(str(ROOT / ".setup.lock"), "a") as file:
        os.set_inheritable(file.fileno(), True)
        waited = False
        while not seize(file):
            if not waited:
                print("Another set-up is at work in this folder; waiting for it.", flush=True)
            waited = True
            time.sleep(1)
        yield


def seize(file):
    try:
        if WINDOWS:
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def run(command):
    """The exit status of a command that runs in this folder and keeps to it: Jupyter's files go to .jupyter."""
    jupyter = ROOT / ".jupyter"
    jupyter.mkdir(exist_ok=True)  # else every kernel complains
    environment = dict(
        os.environ,
        PATH=str(Path(python()).parent) + os.pathsep + os.environ.get("PATH", ""),
        JUPYTER_CONFIG_PATH=str(ROOT / "tools" / "lab"),
        JUPYTER_CONFIG_DIR=str(jupyter),
        JUPYTER_DATA_DIR=str(jupyter / "share"),
        JUPYTER_PREFER_ENV_PATH="1",
        IPYTHONDIR=str(jupyter / "ipython"),
    )
    if sys.platform == "linux" and "OMP_WAIT_POLICY" not in os.environ:
        environment.setdefault("GOMP_SPINCOUNT", SPINS)
    process = subprocess.Popen(command, cwd=str(ROOT), env=environment)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child got it too, and may have something to ask
            continue


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as error:
        sys.exit("Set-up: {}".format(error))
    except OSError as error:
        hint = "The course writes into its own folder: free some space, or copy it to one that you may write to."
        sys.exit("Set-up: {} ({}). {}".format(error.strerror, error.filename, hint))
