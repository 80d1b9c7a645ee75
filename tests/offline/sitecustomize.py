"""Refuses every connection that would leave this machine, and records it in the file named by AIGC_NETWORK_LOG.

Python imports a module of this name at every start, so with this folder on PYTHONPATH the notebooks' kernels and all
other child processes are watched too. An audit hook sees what C extensions do through Python's sockets, connect_ex
included, and cannot be taken out again.
"""

import ipaddress
import os
import sys
from pathlib import Path

EVENTS = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}
STANDARD_LIBRARY = os.path.dirname(os.__file__)
FOLDER = str(Path(__file__).parent)


def stays_here(host) -> bool:
    """Whether a host, as sockets take it, is this machine; names are not looked up."""
    if host is None or host in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def watch(event: str, arguments: tuple) -> None:
    position = EVENTS.get(event)
    log = os.environ.get("AIGC_NETWORK_LOG")
    if position is None or not log:
        return
    target = arguments[position]
    host = target[0] if isinstance(target, tuple) else target
    if event not in ("socket.getaddrinfo", "socket.gethostbyname") and not isinstance(target, tuple):
        return  # a path of a Unix socket, or a message on a socket that was connected under our eyes
    if stays_here(host):
        return
    frame, trail = sys._getframe(1), []
    while frame and len(trail) < 3:
        place = frame.f_code.co_filename
        if not place.startswith(STANDARD_LIBRARY) or "site-packages" in place:
            trail.append(f"{place}:{frame.f_lineno}")
        frame = frame.f_back
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{event} {target!r} from {' < '.join(trail)}\n")
    raise ConnectionRefusedError(f"{event} {target!r}: the tests allow no connection that leaves this machine")


def install(log: str) -> None:
    """Watches this process from now on, and its children from their start."""
    os.environ["AIGC_NETWORK_LOG"] = log
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if FOLDER not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([FOLDER, *paths])
    sys.addaudithook(watch)


if os.environ.get("AIGC_NETWORK_LOG"):
    sys.addaudithook(watch)
