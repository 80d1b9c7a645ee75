"""Where files come from and where they are kept. No other module touches a network or the cache."""

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import platformdirs
import pooch


def cache_dir() -> Path:
    """The folder of everything that can be made again: $AIGC_CACHE, or the system's place for caches."""
    return Path(os.environ.get("AIGC_CACHE") or platformdirs.user_cache_dir("aigc")).expanduser()


def fetch(url: str, sha256: str, name: str, timeout: float = 30.0) -> Path:
    """The file at `url`, downloaded once into the cache and checked.

    sha256: 64 hexadecimal digits. timeout: seconds of silence that we accept from the server. Two more tries follow
    a failure. With AIGC_OFFLINE=1 nothing is downloaded: the file must be in the cache.
    Raises ValueError if the bytes are not the promised ones, ConnectionError if they cannot be had, and OSError if they
    cannot be kept. None of them leaves a file behind.
    """
    path = cache_dir() / name
    if path.exists() and pooch.file_hash(str(path)) == sha256:
        return path
    if os.environ.get("AIGC_OFFLINE") == "1":
        raise ConnectionError(
            f"{name} is not in {cache_dir()} and AIGC_OFFLINE=1 forbids to download it. "
            "Unset AIGC_OFFLINE while you have a network, call this again, and it is kept for good."
        )
    with atomic(path) as partial:
        try:
            downloader = pooch.HTTPDownloader(timeout=timeout)
            keeper = pooch.create(partial.parent, base_url="", registry={partial.name: sha256}, retry_if_failed=2)
            keeper.urls = {partial.name: url}
            keeper.fetch(partial.name, downloader=downloader)
        except ValueError as error:
            raise ValueError(f"{url} does not hold the bytes we know (sha256 {sha256}): {error}") from error
        except OSError as error:  # requests' errors are OSErrors too
            if isinstance(error, PermissionError) or error.errno is not None and error.errno == 28:
                raise
            raise ConnectionError(f"cannot download {url}: {error}. Check the network and call this again.") from error
    return path


def fetch_npm(package: str, sha256: str) -> Path:
    """The archive of an npm package such as "name@1.0.0", fetched once by the program npm into the cache and checked.

    Raises ValueError and ConnectionError as `fetch` does; also ConnectionError if there is no npm.
    """
    path = cache_dir() / (package.replace("@", "-") + ".tgz")
    if path.exists() and pooch.file_hash(str(path)) == sha256:
        return path
    if os.environ.get("AIGC_OFFLINE") == "1":
        raise ConnectionError(f"{path.name} is not in {cache_dir()} and AIGC_OFFLINE=1 forbids to download it")
    npm = shutil.which("npm")
    if npm is None:
        raise ConnectionError(f"{package} is fetched by the program npm: install Node.js, or put {path.name} at {path}")
    with atomic(path) as partial, tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([npm, "pack", package], cwd=folder, capture_output=True, text=True)
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(found) != 1:
            raise ConnectionError(
                f"npm cannot fetch {package}: {done.stderr[-300:]}. Check the network; call this again"
            )
        if pooch.file_hash(str(found[0])) != sha256:
            raise ValueError(
                f"{package} does not hold the bytes we know (sha256 {sha256}): take the version named here"
            )
        shutil.copyfile(found[0], partial)
    return path


@contextmanager
def atomic(path: Path):
    """A path to write to that becomes `path` when the block ends well, and disappears when it does not.

    Raises OSError, naming the folder and what to do, if nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    os.close(handle)
    partial = Path(name)
    partial.unlink()
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno is None:
            raise
        raise unwritable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> OSError:
    return OSError(
        error.errno,
        f"cannot write {path}: {error.strerror}. Free some space or set AIGC_CACHE to a folder that you may write to",
    )


def cached(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays that `make` returns, computed once and kept as NAME in the cache. A damaged file is made again."""
    path = cache_dir() / name
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        pass  # not there, or damaged
    arrays = make()
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)
    return arrays
