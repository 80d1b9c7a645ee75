"""Where what can be made again is kept, and how a file is written whole or not at all."""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import platformdirs


def cache_dir() -> Path:
    """The folder of everything that can be made again: $AIGC_CACHE, or the system's place for caches."""
    return Path(os.environ.get("AIGC_CACHE") or platformdirs.user_cache_dir("aigc")).expanduser()


def offline() -> bool:
    """Whether AIGC_OFFLINE=1 forbids to download anything."""
    return os.environ.get("AIGC_OFFLINE") == "1"


@contextmanager
def atomic(path: Path):
    """A path to write to that becomes `path` when the block ends well, and disappears when it does not.

    Raises OSError, naming the file and what to do, if it cannot be written.
    """
    partial = _beside(path)
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno is None or str(error.filename or partial) != str(partial):  # another file's
            raise
        raise unwritable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A name that nothing has, in the folder of `path`, after a try to write there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    os.close(handle)
    os.unlink(name)
    return Path(name)


def unwritable(path: Path, error: OSError) -> OSError:
    """An error that names the file and what to do."""
    cached = path.is_relative_to(cache_dir())
    where = "set AIGC_CACHE to a folder that you may write to" if cached else "work in a folder that you may write to"
    return OSError(error.errno, f"cannot write {path}: {error.strerror}. Free some space or {where}")


def cached(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of `make`, computed once and kept in the cache as NAME, with a version. If damaged, made again."""
    path = cache_dir() / name
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        pass  # not there, or damaged
    _beside(path)  # fails at once where nothing can be written, not after a minute of work
    arrays = make()
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)
    return arrays
