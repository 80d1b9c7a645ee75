"""What is drawn on the pad becomes points at even distances."""

import numpy as np

from aigc.pad import SPACING, Pad


def test_points_lie_evenly_along_the_strokes():
    pad = Pad(strokes=[[[-1, 0], [-0.9, 0], [0, 0]], [[0, 0], [0, 0.5]]])  # the hand was slow at first
    points = pad.points
    assert len(points) == 51 + 26
    assert np.allclose(points[:51, 0], np.linspace(-1, 0, 51)) and not points[:51, 1].any()
    assert np.allclose(np.linalg.norm(np.diff(points[51:], axis=0), axis=1), SPACING)


def test_an_empty_pad_and_a_dot():
    assert Pad().points.shape == (0, 2)
    assert Pad(strokes=[[[0.5, -0.5]]]).points.tolist() == [[0.5, -0.5]]
