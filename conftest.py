"""No test and no notebook may use a network: tests/offline refuses what tries, and here the session fails for it."""

import importlib.util
import os
import tempfile
from pathlib import Path

GUARD = Path(__file__).parent / "tests" / "offline" / "sitecustomize.py"


def pytest_configure(config):
    if hasattr(config, "workerinput") or os.environ.get("AIGC_NETWORK_LOG"):
        return  # a worker, or a session inside a session: watched from its first line
    spec = importlib.util.spec_from_file_location("offline", GUARD)
    offline = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(offline)
    handle, log = tempfile.mkstemp(prefix="aigc-network-", suffix=".log")
    os.close(handle)
    offline.install(log)
    config.network_log = Path(log)


def pytest_sessionfinish(session):
    log = getattr(session.config, "network_log", None)
    if log and log.read_text():
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter, config):
    failed = [report.nodeid for report in terminalreporter.stats.get("failed", []) if ".ipynb::" in report.nodeid]
    if failed:
        terminalreporter.section("notebooks", red=True)
        for name in sorted({node.split("::")[0] for node in failed}):
            if Path(name).parent.name == "exercises":
                advice = (
                    "is not the empty sheet that it was. If you wrote answers into it, copy it to another folder, and "
                    f"then put the sheet back with `git checkout {name}`; if its solution changed, `make exercises`."
                )
            else:
                advice = (
                    "does not do what it stores. If what the cells do now is right, `make notebooks` stores it; "
                    "if what is stored is right, mend the code."
                )
            terminalreporter.line(f"{name} {advice}")
    log = getattr(config, "network_log", None)
    if log and (tries := log.read_text()):
        terminalreporter.section("network", red=True)
        terminalreporter.line(
            "Something tried to leave this machine; after set-up nothing may. Take it out, or cache what it asks for:"
        )
        terminalreporter.line(tries)


def pytest_unconfigure(config):
    if log := getattr(config, "network_log", None):
        log.unlink(missing_ok=True)
