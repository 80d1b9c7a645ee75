"""Fills the caches that the course reads, so that no notebook has to wait or to download: `python -m tools.prepare`."""

import time

import matplotlib.font_manager  # noqa: F401  (its first import lists the system's fonts, and says so on stderr)

from aigc import data


def main() -> None:
    for load in data.OFFLINE:
        started = time.perf_counter()
        load()
        print(f"{load.__name__}: ready ({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
