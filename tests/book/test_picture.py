"""The README shows what chapter 00 made, not what it once made."""

import matplotlib.pyplot as plt
import numpy as np

from tools import picture


def test_the_readmes_picture_is_made_of_the_notebooks_outputs():
    stored = plt.imread(picture.PICTURE)[..., :3] * 255
    fresh = picture.compose()
    assert stored.shape == fresh.shape
    assert np.abs(stored - fresh).mean() < 2, "run `make notebooks ONLY=00`, which writes the picture too"
    assert fresh.std() > 30  # it is no empty sheet
    for readme in ("README.md", "README.zh.md"):
        assert "docs/first_flight.png" in (picture.ROOT / readme).read_text(encoding="utf-8")
