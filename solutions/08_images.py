# %% [markdown]
# # 08 · Images in practice: exercises
#
# Run the first cell, then take the exercises in any order. No function changes what it is given. Each check tells you
# what it expected; when it is silent, you are done.


# %%
import math
import numbers

import numpy as np
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from aigc import course, sample
from aigc.evaluate.image import frechet, precision_recall
from aigc.models import unet

_ = torch.manual_seed(0)

# %% [markdown]
# ## 08.1 · verify · 10 min · ●○○○○ · The sides of an image
#
# *Chapter 08: [1 · As printed](../chapters/08_images.ipynb#1-·-As-printed)*
#
# Write `sides(n, layers)`: the side of a square image of `n` pixels after each layer, as a list. A layer is
# `(kind, k, s, p)`, where kind is `"conv"` or `"transposed"`: the window, the step and the margin of section 1.


# %% nbgrader={"grade": false, "grade_id": "08-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sides(n, layers):
    ### BEGIN SOLUTION
    found = []
    for kind, k, s, p in layers:
        n = (n - 1) * s - 2 * p + k if kind == "transposed" else (n + 2 * p - k) // s + 1
        found.append(n)
    return found
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "08-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_sides(sides):
    def at(n, layers):
        got = course.attempt(sides, n, list(layers))
        assert np.ndim(got) == 1, "return a list, with a side for each layer"
        return list(got)

    got = at(7, [("transposed", 4, 2, 1)] * 3)
    assert len(got) == 3, f"three layers, three sides, without the one of the beginning: not {got}"
    assert got != [14, 14, 14], "each layer begins where the one before it ended"
    assert got != [16, 34, 70], "the margin is cut off on both sides, *minus* 2p; and between n pixels are n - 1 steps"
    assert got != [8, 9, 10], "the pixels are spread s apart: (n - 1) *times* s"
    assert got == [14, 28, 56], f"the article's generator: [14, 28, 56], not {got}"
    odd = at(8, [("conv", 3, 2, 0)])
    assert odd != [17], "an ordinary convolution makes the image smaller: it is not the transposed one"
    assert odd != [2], "an ordinary convolution: one window fits even where no step is left, + 1"
    assert odd == [3], f"a window that does not fit is left out: round down, 3, not {odd}"
    assert all(isinstance(n, numbers.Integral) for n in [*got, *odd]), (
        "sides are whole numbers: // gives them, / does not"
    )
    down = at(28, [("conv", 4, 2, 1), ("conv", 4, 2, 1)])
    assert down != [13, 5], "an ordinary convolution has a margin on both sides, too: it sees n + 2p pixels"
    assert down == [14, 7], f"a detective's two layers: [14, 7], not {down}"
    mixed = at(5, [("transposed", 5, 3, 2), ("conv", 3, 1, 1), ("conv", 3, 3, 2), ("conv", 3, 4, 1)])
    assert mixed == [13, 13, 5, 2], f"other windows, steps and margins, and both kinds: [13, 13, 5, 2], not {mixed}"
    bare = at(1, [("transposed", 4, 1, 0), ("transposed", 3, 2, 0), ("conv", 2, 2, 0)])
    assert bare == [4, 9, 4], f"from one pixel, without margins: [4, 9, 4], not {bare}"


check_sides(sides)


### BEGIN HIDDEN TESTS
from itertools import accumulate  # noqa: E402


def _layer(n, layer):
    kind, k, s, p = layer
    return (n - 1) * s - 2 * p + k if kind == "transposed" else (n + 2 * p - k) // s + 1


def _shrink(n, k, s, p):
    return (n + 2 * p - k) // s + 1


def _sides(grow, shrink=_shrink, chained=True):
    def answer(n, layers):
        found, begin = [], n
        for kind, k, s, p in layers:
            n = grow(n, k, s, p) if kind == "transposed" else shrink(n, k, s, p)
            found.append(n)
            n = n if chained else begin
        return found

    return answer


def _grow(n, k, s, p):
    return (n - 1) * s - 2 * p + k


MISCONCEPTIONS = {
    "only the last": (lambda n, layers: _sides(_grow)(n, layers)[-1], "return a list"),
    "nothing": (lambda n, layers: None, "nothing came back"),
    "eaten": (lambda n, layers: [_sides(_grow)(n, [layers.pop(0)])[0] for _ in list(layers)], "nothing in place"),
    "n times s": (_sides(lambda n, k, s, p: n * s), "other windows"),
    "two of everything": (_sides(lambda n, k, s, p: (n - 1) * 2 + k - 2 * p), "other windows"),
    "only with margins": (_sides(lambda n, k, s, p: (n - 1) * s - 2 * p + k if p else n * s), "without margins"),
    "margin of one": (_sides(lambda n, k, s, p: (n - 1) * s + k - 2), "other windows"),
    "conv by two": (_sides(_grow, lambda n, k, s, p: (n + 2 * p - k) // 2 + 1), "other windows"),
    "conv rounded": (_sides(_grow, lambda n, k, s, p: round((n + 2 * p - k) / s) + 1), "other windows"),
    "conv without margin": (_sides(_grow, lambda n, k, s, p: (n - k) // s + 1), "it sees n + 2p"),
    "one kind": (
        lambda n, layers: _sides(*[_grow if layers[0][0] == "transposed" else _shrink] * 2)(n, layers),
        "other",
    ),
    "with the beginning": (lambda n, layers: [n, *_sides(_grow)(n, layers)], "three layers"),
    "not chained": (_sides(_grow, chained=False), "begins where the one before"),
    "margin added": (_sides(lambda n, k, s, p: (n - 1) * s + 2 * p + k), "[14, 28, 56], not"),
    "no margin": (_sides(lambda n, k, s, p: (n - 1) * s + k), "cut off"),
    "n steps": (_sides(lambda n, k, s, p: n * s - 2 * p + k), "n - 1 steps"),
    "no step": (_sides(lambda n, k, s, p: n - 1 - 2 * p + k), "s apart"),
    "no one": (_sides(_grow, lambda n, k, s, p: (n + 2 * p - k) // s), "+ 1"),
    "all transposed": (_sides(_grow, _grow), "makes the image smaller"),
    "rounded up": (_sides(_grow, lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1), "round down"),
    "not whole": (_sides(_grow, lambda n, k, s, p: float((n + 2 * p - k) // s + 1)), "sides are whole"),
    "grown not whole": (_sides(lambda n, k, s, p: float(_grow(n, k, s, p))), "sides are whole"),
}
ALTERNATIVES = {
    "NumPy": (lambda n, layers: np.array(_sides(_grow)(n, layers))),
    "a generator's list": lambda n, layers: list(accumulate(layers, _layer, initial=n))[1:],
    "the formula of the reference": lambda n, layers: _sides(_grow, lambda n, k, s, p: int((n + 2 * p - k) / s + 1))(
        n, layers
    ),
}
### END HIDDEN TESTS


# %% [markdown]
# ## 08.2 · verify · 15 min · ●●○○○ · What the bottleneck costs
#
# *Chapter 08: [3 · A bottleneck](../chapters/08_images.ipynb#3-·-A-bottleneck)*
#
# Write `price(mu, logvar)`: the KL of (8.3), $\mathrm{KL}(N(\mu, \sigma^2) \,\|\, N(0, 1))$, where `logvar` is
# $\log \sigma^2$, from -60 to 20. Both are tensors (B, noise); return the nats of each image, (B,).


# %% nbgrader={"grade": false, "grade_id": "08-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def price(mu, logvar):
    ### BEGIN SOLUTION
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "08-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_price(price):
    def at(mu, logvar):
        return torch.as_tensor(course.attempt(price, torch.tensor(mu), torch.tensor(logvar)))

    got = at([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [-2.0, 1.0]])
    assert got.shape != (3, 2), "the numbers of one image belong together: sum over z"
    assert got.shape == (3,), f"one price for each image, (3,), not {tuple(got.shape)}"
    assert abs(float(got[1])) < 1e-6, f"who says nothing pays nothing: N(0, 1) costs 0, not {float(got[1])}"
    assert not math.isclose(got[0], -2.5, rel_tol=1e-4), "sign: a KL divergence is never below zero"
    assert not math.isclose(got[0], 5.0, rel_tol=1e-4), "without the factor 1/2"
    assert not math.isclose(got[0], 1.25, rel_tol=1e-4), "the *sum* over z, not the mean: independent prices add up"
    assert math.isclose(got[0], 2.5, rel_tol=1e-4), f"mu = (1, 2), sigma = 1: (1 + 4)/2 = 2.5, not {float(got[0])}"
    right = 0.5 * (math.exp(-2) + 2 - 1 + math.e - 1 - 1)
    as_sigma = 0.5 * (math.exp(-4) + 4 - 1 + math.exp(2) - 2 - 1)
    other_way = 0.5 * (math.exp(2) - 2 - 1 + math.exp(-1) + 1 - 1)
    assert not math.isclose(got[2], as_sigma, rel_tol=1e-4), (
        "logvar is the log of the *variance*: exp once, not squared"
    )
    assert not math.isclose(got[2], other_way, rel_tol=1e-4), "the other way round: this is KL(N(0, 1) | q)"
    assert math.isclose(got[2], right, rel_tol=1e-4), f"expected {right:.4f}, got {float(got[2]):.4f}"
    got = at([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0]], [[-2.0, 1.0, 0.0], [1.0, 1.0, -1.0]]).tolist()
    assert not np.allclose(got, [4.0518, 6.4022], atol=1e-3), "the -1 belongs to each number of z, and here are three"
    assert np.allclose(got, [3.5518, 5.9022], atol=1e-3), (
        f"three numbers, with means *and* variances: [3.5518, 5.9022], not {got}. The prior's variance is 1: is mu^2 "
        "alone?"
    )
    got = at([[0.0], [0.0], [0.0]], [[-30.0], [12.0], [-60.0]]).tolist()
    right = [14.5, 0.5 * (math.exp(12) - 13), 29.5]
    assert np.allclose(got, right, rtol=1e-4), (
        f"variances may be tiny and large, logvar -30, 12 and -60: {np.round(right, 1)}, not {np.round(got, 1)}. Nothing is "
        "to be clipped, and no logarithm is to be taken anew"
    )


check_price(price)


### BEGIN HIDDEN TESTS
from torch.distributions import Normal, kl_divergence  # noqa: E402


def _each(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


MISCONCEPTIONS = {
    "sign": (lambda mu, logvar: -_each(mu, logvar).sum(1), "never below zero"),
    "half": (lambda mu, logvar: 2 * _each(mu, logvar).sum(1), "without the factor"),
    "not summed": (_each, "sum over z"),
    "mean over z": (lambda mu, logvar: _each(mu, logvar).mean(1), "not the mean"),
    "one number": (lambda mu, logvar: _each(mu, logvar).sum(), "one price for each image"),
    "deviation": (lambda mu, logvar: _each(mu, 2 * logvar).sum(1), "exp once"),
    "reversed": (
        lambda mu, logvar: 0.5 * ((mu**2 + 1) / logvar.exp() - 1 + logvar).sum(1),
        "the other way round",
    ),
    "no entropy": (lambda mu, logvar: 0.5 * (mu**2 + logvar.exp()).sum(1), "says nothing pays nothing"),
    "a number": (lambda mu, logvar: float(_each(mu, logvar).sum()), "one price for each image"),
    "nothing": (lambda mu, logvar: None, "nothing came back"),
    "over the variance": (
        lambda mu, logvar: 0.5 * (mu**2 / logvar.exp() + logvar.exp() - 1 - logvar).sum(1),
        "is mu^2 alone",
    ),
    "times the variance": (lambda mu, logvar: 0.5 * (mu**2 * logvar.exp() + logvar.exp() - 1 - logvar).sum(1), "alone"),
    "one once": (lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - logvar).sum(1) - 1, "belongs to each"),
    "mean and no half": (lambda mu, logvar: 2 * _each(mu, logvar).mean(1), "three numbers"),
    "clipped": (lambda mu, logvar: _each(mu, logvar.clamp(-10, 10)).sum(1), "to be clipped"),
    "logarithm of a deviation": (
        lambda mu, logvar: (0.5 * (mu**2 + logvar.exp() - 1) - torch.log((logvar / 2).exp() + 1e-8)).sum(1),
        "taken anew",
    ),
    "the first two": (lambda mu, logvar: _each(mu, logvar)[:, :2].sum(1), "three numbers"),
    "in place": (lambda mu, logvar: 0.5 * (mu.square_() + logvar.exp() - 1 - logvar).sum(1), "nothing in place"),
}
ALTERNATIVES = {
    "torch's own": lambda mu, logvar: kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1),
    "float64": lambda mu, logvar: _each(mu.double(), logvar.double()).sum(-1),
    "NumPy": lambda mu, logvar: _each(mu, logvar).sum(1).numpy(),
    "a loop": lambda mu, logvar: [float(_each(m, v).sum()) for m, v in zip(mu, logvar)],
}
### END HIDDEN TESTS


# %% [markdown]
# ## 08.3 · modify · 15 min · ●●○○○ · Guidance, while it does good
#
# *Chapter 08: [4 · From noise](../chapters/08_images.ipynb#4-·-From-noise)*
#
# Write `push(without, with_label, scale, t, between)`: the velocity at the time `t`. Between the two times, both included,
# it exaggerates the label by `scale` as in (8.7): 0 ignores the label, 1 is the model's own belief. At other times it is
# the model's own belief. The velocities are tensors of any shape; `t` is one number, as all images flow at one time.


# %% nbgrader={"grade": false, "grade_id": "08-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def push(without, with_label, scale, t, between):
    ### BEGIN SOLUTION
    if not between[0] <= t <= between[1]:
        return with_label
    return without + scale * (with_label - without)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "08-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_push(push):
    without, with_label = torch.tensor([1.0, 0.0]), torch.tensor([2.0, 4.0])

    def at(scale, t, between=(0.3, 0.9), a=without, b=with_label):
        got = torch.as_tensor(course.attempt(push, a.clone(), b.clone(), scale, t, between)).float()
        assert got.shape == a.shape, f"return a velocity, of the shape of the two, at t = {t} as well"
        return got.tolist()

    got = at(3.0, 0.5)
    assert got not in ([-1.0, -8.0], [-2.0, -12.0]), (
        "the wrong way: from the answer without towards the one with the label"
    )
    assert got != [5.0, 16.0], "off by one: begin at the answer *without*, so that 1 is the model's own belief"
    assert got != [3.0, 12.0], "only the difference is exaggerated; the answer without is where it begins"
    assert got == [4.0, 12.0], f"(1, 0) + 3 (1, 4) = (4, 12), not {got}"
    assert at(1.0, 0.5) == [2.0, 4.0], "at 1 it is the model's own belief, with the label"
    assert at(0.0, 0.5) == [1.0, 0.0], "at 0 the label is ignored"
    assert at(0.5, 0.5) == [1.5, 2.0], f"a scale of 0.5 goes half of the way, to (1.5, 2), not {at(0.5, 0.5)}"
    early, late = at(3.0, 0.95), at(3.0, 0.1)
    assert early != [1.0, 0.0] and late != [1.0, 0.0], "at other times the label is still *told*, but not exaggerated"
    assert early != [4.0, 12.0], "it pushes too early: t = 1 is noise, and between ends at 0.9"
    assert late != [4.0, 12.0], "it pushes too late: between begins at 0.3"
    assert early == late == [2.0, 4.0], f"at other times: the model's own belief, not {early} and {late}"
    assert at(3.0, 0.3) == at(3.0, 0.9) == [4.0, 12.0], "both ends are included"
    assert at(0.0, 0.1) == [2.0, 4.0], "scale 0 ignores the label between the two times only"
    pictures = torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 3, 3)
    other = [at(2.0, t, (0.1, 0.5), *pictures)[1][0][2][2] for t in (0.05, 0.2, 0.4, 0.7)]
    assert other == [1, 2, 2, 1], f"other times are given, 0.1 and 0.5: does the function use its `between`? {other}"


check_push(push)


### BEGIN HIDDEN TESTS
def _push(rule=lambda a, b, w: a + w * (b - a), inside=lambda t, lo, hi: lo <= t <= hi, outside=lambda a, b: b):
    return lambda a, b, w, t, between: rule(a, b, w) if inside(t, *between) else outside(a, b)


MISCONCEPTIONS = {
    "wrong way": (_push(lambda a, b, w: a - w * (b - a) + (b - a)), "the wrong way"),
    "minus": (_push(lambda a, b, w: a - w * (b - a)), "the wrong way"),
    "off by one": (_push(lambda a, b, w: b + w * (b - a)), "off by one"),
    "only the difference": (_push(lambda a, b, w: w * (b - a)), "where it begins"),
    "label dropped": (_push(outside=lambda a, b: a), "is still *told*"),
    "always": (_push(inside=lambda t, lo, hi: True), "too early"),
    "time turned round": (_push(inside=lambda t, lo, hi: t <= hi), "too late"),
    "open": (_push(inside=lambda t, lo, hi: lo < t < hi), "both ends"),
    "nothing": (lambda *given: None, "nothing came back"),
    "nothing outside": (_push(outside=lambda a, b: None), "nothing came back"),
    "zero outside": (_push(outside=lambda a, b: 0), "of the shape of the two"),
    "the chapter's times": (_push(inside=lambda t, lo, hi: 0.3 <= t <= 0.9), "other times are given"),
    "the chapter's end": (_push(inside=lambda t, lo, hi: lo <= t <= 0.9), "other times are given"),
    "whole scales": (_push(lambda a, b, w: a + int(w) * (b - a)), "half of the way"),
    "in place": (_push(lambda a, b, w: a.add_(w * (b - a))), "nothing in place"),
    "0 everywhere": (lambda a, b, w, t, between: a if w == 0 else _push()(a, b, w, t, between), "between the two"),
}
ALTERNATIVES = {
    "a mixture": _push(lambda a, b, w: (1 - w) * a + w * b),
    "float64": _push(lambda a, b, w: a.double() + w * (b.double() - a)),
    "lerp": _push(lambda a, b, w: torch.lerp(a, b, w)),
    "the scale at that time": lambda a, b, w, t, between: a + (w if between[0] <= t <= between[1] else 1.0) * (b - a),
}
### END HIDDEN TESTS


# %% [markdown]
# ## 08.4 · investigate · 25 min · ●●●○○ · What FID is blind to
#
# *Chapter 08: [6 · Which is best?](../chapters/08_images.ipynb#6-·-Which-is-best?)*
#
# FID looks at a mean and a covariance. Write `impostor(real)`: as many points as `real` (N, F), a float64 tensor with
# many more points than features, F at least 2, and no feature that follows from the others. Return a tensor of the same
# shape whose FID to them is zero, but for rounding, and which are *not* them: of a ring, an impostor whose points lie
# anywhere but on the ring. Normal noise has almost the right covariance. How do you make it exactly right?
#
# Predict: of an impostor of the ring, whose FID is zero, how large are precision and recall?

# %% tags=["prediction"]
guess_08_4 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "08-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def impostor(real):
    ### BEGIN SOLUTION
    noise = torch.randn(real.shape, dtype=torch.float64)
    noise = noise - noise.mean(0)
    own, wanted = (torch.linalg.cholesky(torch.cov(cloud.T)) for cloud in (noise, real))
    return real.mean(0) + noise @ torch.linalg.inv(own).T @ wanted.T
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "08-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_impostor(impostor):
    def at(real):
        got = torch.as_tensor(course.attempt(impostor, real.clone()))
        assert got.shape == real.shape, f"as many points as were given, {tuple(real.shape)}, not {tuple(got.shape)}"
        assert got.dtype == torch.float64, "in float64: rounding alone would be seen"
        same = (torch.cdist(got, real).min(1).values < 1e-6).double().mean()
        assert same < 0.1, f"{same:.0%} of these are real points, perhaps in another order"
        return got

    torch.manual_seed(1)
    angle = torch.arange(999, dtype=torch.float64) / 999 * 2 * math.pi
    ring = torch.stack([3 + 2 * angle.cos(), angle.sin()], dim=1)  # an ellipse, off the middle
    got = at(ring)
    off = (got.mean(0) - ring.mean(0)).abs().max()
    assert off < 1e-6, f"the mean is off by {off:.3g}: subtract your noise's own mean first, and add the real one last"
    differ = (torch.cov(got.T) - torch.cov(ring.T)).abs().max()
    by_n = any(torch.allclose(torch.cov(got.T) * share, torch.cov(ring.T)) for share in (998 / 999, 999 / 998))
    assert not by_n, "off by N / (N - 1): use one of them, for your noise's covariance as for the real one"
    assert differ > 1e-4 or differ < 1e-8, "nearly: solve for the covariance exactly, do not approach it"
    assert not torch.allclose(got.var(0), ring.var(0)) or differ < 1e-4, "the variances fit, the covariances do not"
    assert differ < 1e-8, f"the covariance is off by {differ:.3g}: first make your noise's own the identity"
    assert frechet(ring, got) < 1e-6, f"then FID is {frechet(ring, got)}"
    precise = precision_recall(ring, got)[0]
    assert precise < 0.5, f"{precise:.0%} of your points lie on the ring: draw them from something without a hole"
    tilted = ring @ torch.tensor([[1.0, 0.6], [0.0, 1.0]], dtype=torch.float64)
    assert frechet(tilted, at(tilted)) < 1e-6, "a ring that lies aslant: its features are correlated"
    cloud = torch.rand(300, 3, dtype=torch.float64) @ torch.tensor([[1.0, 0.6, 0], [0, 1, 2], [0, 0, 1]]).double()
    assert frechet(cloud, at(cloud)) < 1e-6, "300 points of three features: the shape comes from what is given"


check_impostor(impostor)


### BEGIN HIDDEN TESTS
def _plain(real):
    return real.mean(0) + torch.randn(real.shape, dtype=torch.float64) * real.std(0)


def _own_mean(real):
    noise = torch.randn(real.shape, dtype=torch.float64)
    return real.mean(0) + (noise - noise.mean(0)) @ torch.linalg.cholesky(torch.cov(real.T)).T


def _variances(real):
    noise = torch.randn(real.shape, dtype=torch.float64)
    return real.mean(0) + (noise - noise.mean(0)) / noise.std(0) * real.std(0)


def _by_n(real):
    return real.mean(0) + (_recoloured(torch.randn(real.shape, dtype=torch.float64), real) - real.mean(0)) * math.sqrt(
        len(real) / (len(real) - 1)
    )


def _mirrored(real):
    moved = 2 * real.mean(0) - real
    return moved


def _recoloured(noise, real):
    noise = noise - noise.mean(0)
    own, wanted = (torch.linalg.cholesky(torch.cov(cloud.T)) for cloud in (noise, real))
    return real.mean(0) + torch.linalg.solve_triangular(own, noise.T, upper=False).T @ wanted.T


def _by_eigenvectors(real):
    real = real.numpy()
    noise = np.random.default_rng(0).normal(size=real.shape)
    noise = noise - noise.mean(0)
    root = lambda cloud, power: (lambda s, U: U * s**power @ U.T)(*np.linalg.eigh(np.cov(cloud.T)))
    return noise @ root(noise, -0.5) @ root(real, 0.5) + real.mean(0)


MISCONCEPTIONS = {
    "the real ones": (lambda real: real[torch.randperm(len(real))], "in another order"),
    "half of them real": (lambda real: torch.cat([real[:500], _own_mean(real)[500:]]), "of these are real"),
    "real if aslant": (lambda real: real if real.T.cov()[0, 1].abs() > 0.1 else impostor(real), "of these are real"),
    "999 points": (lambda real: impostor(real) if len(real) == 999 else torch.randn(999, 2).double(), "as many points"),
    "the ring is moved": (lambda real: impostor(real.sub_(real.mean(0))), "nothing in place"),
    "no mean": (lambda real: impostor(real) - real.mean(0), "the mean is off"),
    "nothing": (lambda real: None, "nothing came back"),
    "moved in secret": (_mirrored, "lie on the ring"),
    "noise with deviations": (_plain, "the mean is off"),
    "covariance drawn, not exact": (_own_mean, "the identity"),
    "N against N - 1": (_by_n, "use one of them"),
    "variances only": (_variances, "the covariances do not"),
    "single precision": (lambda real: impostor(real).float(), "in float64"),
    "the middle": (lambda real: real.mean(0), "as many points"),
}
ALTERNATIVES = {
    "NumPy, by eigenvectors": _by_eigenvectors,
    "uniform noise": lambda real: _recoloured(torch.rand(real.shape, dtype=torch.float64), real),
}
EQUIVALENT = {
    "noise = noise.mean(0) - noise": "normal noise is as good with its sign turned",
    "return real.mean(0) - noise @ torch.linalg.inv(own).T @ wanted.T": "noise is as good with its sign turned",
}
### END HIDDEN TESTS


# %%
angle = torch.arange(1000, dtype=torch.float64) / 1000 * 2 * math.pi
ring = torch.stack([angle.cos(), angle.sin()], dim=1)
false = impostor(ring)
precision, recall = precision_recall(ring, false)
print(f"FID {abs(frechet(ring, false)):.4f}, precision {precision:.2f}, recall {recall:.2f}; you said: {guess_08_4}")
assert frechet(ring, false) < 1e-6 and precision < 0.2 and recall > 0.5

# %% [markdown]
# A perfect FID, and hardly a point is where it should be. Recall sees nothing either: the impostor's points lie
# everywhere, so each true point has one of them near by. Chapter 08 takes FID over features, as if digits were one
# normal cloud there. Whether they are, FID itself cannot tell.

# %% [markdown]
# ## 08.5 · build · 45 min · ●●●●○ · FID, precision and recall
#
# *Chapter 08: [6 · Which is best?](../chapters/08_images.ipynb#6-·-Which-is-best?)*
#
# Build the measures of section 6 yourself; of ready-made ones take only `np.cov`, `sqrtm` and `cdist`. First
# `fid(real, fake)` of two arrays (N, F), F at least 2, by (8.6). In this exercise, refuse two clouds of different sizes
# with a ValueError, because FIDs of different sizes cannot be compared. Where there are fewer points than features the
# root comes out complex, by rounding: its real part is meant.


# %% nbgrader={"grade": false, "grade_id": "08-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fid(real, fake):
    ### BEGIN SOLUTION
    real, fake = np.asarray(real, dtype=float), np.asarray(fake, dtype=float)
    if real.shape != fake.shape:
        raise ValueError(f"as many images and features on both sides: {real.shape} and {fake.shape}")
    apart = real.mean(0) - fake.mean(0)
    one = np.cov(real, rowvar=False)
    two = np.cov(fake, rowvar=False)
    root = sqrtm(one @ two).real
    spread = np.trace(one) + np.trace(two) - 2 * np.trace(root)
    return float(apart @ apart + spread)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "08-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_fid(fid):
    def at(real, fake):
        got = course.attempt(fid, real.copy(), fake.copy())
        assert np.ndim(got) == 0, "return one number"
        assert not np.iscomplexobj(got), "a complex number: rounding gave the root an imaginary part; take the real one"
        return float(got)

    dice = np.random.default_rng(0)
    real, fake = dice.normal(size=(2, 400, 3))
    real = real @ [[3.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    fake = fake @ [[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]] + [1.0, 3.0, 0.0]
    right = frechet(*map(torch.tensor, (real, fake)))
    gap, one, two = real.mean(0) - fake.mean(0), np.cov(real.T), np.cov(fake.T)
    traces, root = np.trace(one) + np.trace(two), np.trace(sqrtm(one @ two).real)
    got = at(real, fake)
    is_like = lambda other: math.isclose(got, other, rel_tol=1e-4)
    assert not is_like(gap @ gap), "only the means: where is the covariance term?"
    assert not is_like(gap @ gap + traces), "without the root of C1 C2: minus twice its trace"
    assert not is_like(traces - 2 * root), "only the covariances: where is the distance of the means?"
    assert not is_like(math.sqrt(gap @ gap) + traces - 2 * root), "the *squared* distance of the means"
    assert not is_like(gap @ gap / 3 + traces - 2 * root), "the *sum* of the squared differences of the means"
    single = gap @ gap + traces - 2 * np.sqrt(np.clip(one @ two, 0, None)).trace()
    assert not is_like(single), "a root of a *matrix*, not of its entries"
    apart = gap @ gap + traces - 2 * np.trace(sqrtm(one) @ sqrtm(two)).real
    assert not is_like(apart), "the root of the product, not the product of the roots"
    alone = gap @ gap + traces - 2 * np.sqrt(np.diag(one) * np.diag(two)).sum()
    assert not is_like(alone), "covariances, not only variances: features hang together"
    assert not is_like(math.sqrt(right)), "this is the distance; FID is its square"
    assert is_like(right), f"expected {right:.4f}, got {got}"
    few = dice.normal(size=(2, 20, 30)) * [[[1.0]], [[2.0]]]  # fewer points than features: no full covariance
    many = frechet(*map(torch.tensor, few))
    assert math.isclose(got := at(*few), many, rel_tol=1e-3), f"20 points of 30 features: {many:.2f}, not {got}"
    steep = np.array([[24.5, 12.6], [0, 3.9]]), np.array([[4.4, -19], [0, 16.4]])
    aslant = [dice.normal(size=(400, 2)) @ one for one in steep]  # the root of their product has a negative entry
    right = frechet(*map(torch.tensor, aslant))
    assert math.isclose(got := at(*aslant), right, rel_tol=1e-3), (
        f"two clouds that lie aslant to one another: {right:.1f}, not {got:.1f}. Of the root take the real part, not the "
        "modulus"
    )
    for a, b in ((real, fake[:100]), (real[:100], fake)):
        words = f"{len(a)} against {len(b)}: raise a ValueError, since FIDs of different sizes cannot be compared"
        try:
            fid(a, b)
        except ValueError:
            continue
        except Exception as error:
            raise AssertionError(f"{words}; this was a {type(error).__name__}") from error
        raise AssertionError(words)


check_fid(fid)


### BEGIN HIDDEN TESTS
def _fid(means=lambda gap: gap @ gap, spread=lambda a, b, root: np.trace(a) + np.trace(b) - 2 * np.trace(root)):
    def answer(real, fake):
        if len(real) != len(fake):
            raise ValueError("sizes")
        one, two = np.cov(real.T), np.cov(fake.T)
        return means(real.mean(0) - fake.mean(0)) + spread(one, two, sqrtm(one @ two).real)

    return answer


def _centred(real, fake):
    answer = _fid()(real, fake)
    real -= real.mean(0)
    return answer


def _ours(real, fake):
    if len(real) != len(fake):
        raise ValueError("as many on both sides")
    return torch.tensor(_any_size(real, fake))


def _any_size(real, fake):
    return frechet(torch.as_tensor(real), torch.as_tensor(fake))


MISCONCEPTIONS = {
    "modulus": (_fid(spread=lambda a, b, root: np.trace(a + b) - 2 * np.abs(root).trace()), "the modulus"),
    "no covariance": (_fid(spread=lambda a, b, root: 0.0), "covariance term"),
    "no root": (_fid(spread=lambda a, b, root: np.trace(a) + np.trace(b)), "minus twice"),
    "not squared": (_fid(means=lambda gap: math.sqrt(gap @ gap)), "the *squared* distance"),
    "root of entries": (
        _fid(spread=lambda a, b, root: np.trace(a) + np.trace(b) - 2 * np.sqrt(np.clip(a @ b, 0, None)).trace()),
        "not of its entries",
    ),
    "root of all": (lambda real, fake: math.sqrt(_fid()(real, fake)), "FID is its square"),
    "different sizes": (_any_size, "400 against 100"),
    "complex": (lambda real, fake: _fid()(real, fake) + 0j, "take the real one"),
    "complex for few": (
        lambda real, fake: _fid()(real, fake) + (0j if len(real) < real.shape[1] else 0),
        "take the real one",
    ),
    "nothing": (lambda real, fake: None, "nothing came back"),
    "only covariances": (_fid(means=lambda gap: 0.0), "distance of the means"),
    "mean of squares": (_fid(means=lambda gap: (gap**2).mean()), "the *sum*"),
    "product of roots": (
        _fid(spread=lambda a, b, root: np.trace(a + b - 2 * sqrtm(a) @ sqrtm(b)).real),
        "not the product of the roots",
    ),
    "variances only": (
        _fid(spread=lambda a, b, root: np.trace(a + b) - 2 * np.sqrt(np.diag(a) * np.diag(b)).sum()),
        "not only variances",
    ),
    "biased": (_fid(spread=lambda a, b, root: (np.trace(a + b) - 2 * np.trace(root)) * 399 / 400), "expected"),
    "one direction": (
        lambda real, fake: _fid()(real, fake) if len(fake) < len(real) else _any_size(real, fake),
        "100 against 400",
    ),
    "another error": (lambda real, fake: [0][len(real) - len(fake)] + _any_size(real, fake), "this was a"),
    "in place": (_centred, "nothing in place"),
}
ALTERNATIVES = {
    "by eigenvalues": _fid(
        spread=lambda a, b, root: np.trace(a + b) - 2 * np.sqrt(np.linalg.eigvals(a @ b) + 0j).real.sum()
    ),
    "torch": _ours,
    "the symmetric root": _fid(
        spread=lambda a, b, root: np.trace(a + b - 2 * sqrtm(sqrtm(a).real @ b @ sqrtm(a).real).real)
    ),
}
EQUIVALENT = {"apart = fake.mean(0) - real.mean(0)": "its square is taken"}
### END HIDDEN TESTS


# %% [markdown]
# Then `both(real, fake, k)`: precision and recall. A point lies in a cloud if it is within the ball around *some* point of
# it, and a ball reaches to the k-th neighbour of its middle in the same cloud, its edge included. Return precision, then
# recall.


# %% nbgrader={"grade": false, "grade_id": "08-5-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def both(real, fake, k):
    ### BEGIN SOLUTION
    real, fake = np.asarray(real, dtype=float), np.asarray(fake, dtype=float)
    within_real = np.sort(cdist(real, real), axis=1)
    within_fake = np.sort(cdist(fake, fake), axis=1)
    around_real = within_real[:, k]  # the first is the point itself
    around_fake = within_fake[:, k]
    between = cdist(real, fake)
    in_real = between <= around_real[:, None]
    in_fake = between <= around_fake[None, :]
    precision = in_real.any(0).mean()
    recall = in_fake.any(1).mean()
    return float(precision), float(recall)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "08-5-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_both(both):
    def at(real, fake, k):
        got = course.attempt(both, real.copy(), fake.copy(), k)
        assert np.shape(got) == (2,), "return two numbers: precision, then recall"
        return tuple(map(float, got))

    ours = lambda real, fake, k: precision_recall(torch.tensor(real), torch.tensor(fake), k)
    dice = np.random.default_rng(1)
    real = dice.normal(size=(300, 2)) * 3
    narrow, far = dice.normal(size=(150, 2)) * 0.5, dice.normal(size=(50, 2)) + 30
    fake = np.concatenate([narrow, far])
    got, right = at(real, fake, 5), ours(real, fake, 5)
    assert not np.allclose(got, right[::-1]), "exchanged: precision is about the *fakes*, recall about the real ones"
    assert not np.allclose(got, ours(real, fake, 4)), (
        "the nearest of all is the point itself: the k-th *other* is meant"
    )
    distances = cdist(real, fake)
    over = np.sort(distances, 1)[:, 4], np.sort(distances, 0)[4]
    crossed = (distances <= over[0][:, None]).any(0).mean(), (distances <= over[1]).any(1).mean()
    assert not np.allclose(got, crossed), "a ball reaches to a neighbour in its *own* cloud"
    reach = [np.sort(cdist(cloud, cloud), 1)[:, 5] for cloud in (real, fake)]
    of_fakes, of_real = distances.argmin(0), distances.argmin(1)
    nearest = (distances.min(0) <= reach[0][of_fakes]).mean(), (distances.min(1) <= reach[1][of_real]).mean()
    assert not np.allclose(got, nearest), (
        "only the ball around the *nearest* point: others may be larger, any one will do"
    )
    assert got[0] <= 0.8, "a quarter of the fakes is far from all real ones: precision cannot be more than 3/4"
    assert np.allclose(got, right), f"expected {right}, got {got}"
    assert np.allclose(at(real, real + 0.0, 5), (1, 1)), "a cloud against itself: 1 and 1"
    one, other = dice.normal(size=(60, 3)), dice.normal(size=(50, 3)) + 1.6  # they overlap in part
    for k in (7, 2):
        got, right = at(one, other, k), ours(one, other, k)
        inner = (ours(one, other, k - 1)[0], right[1])
        assert not np.allclose(got, inner), "precision counts the point itself among its neighbours"
        assert np.allclose(got, right), f"k is {k}, with 60 and 50 points of three features: {right}, not {got}"
    twins = np.array([[0.0, 0], [0, 0], [5, 0], [5, 0]])
    got = at(twins, np.array([[1.0, 0], [2, 0], [7, 0], [9, 0]]), 1)
    assert got == (0, 1), f"two points at one place are neighbours, at the distance 0: (0, 1), not {got}"
    same = np.repeat(np.eye(3), 4, 0)  # balls of radius 0
    assert at(same, same.copy(), 2) == (1, 1), "the edge of a ball belongs to it: where all are equal, both are 1"


check_both(both)


### BEGIN HIDDEN TESTS
def _mean(cloud, other, k):
    return np.full(len(cloud), np.sort(cdist(cloud, cloud), 1)[:, k].mean())


def _apart(cloud, other, k):
    return np.array([np.sort(row[row > 0])[k - 1] for row in cdist(cloud, cloud)])


def _nearest(real, fake, k):
    between, reach = cdist(real, fake), lambda cloud: np.sort(cdist(cloud, cloud), 1)[:, k]
    precision = (between.min(0) <= reach(real)[between.argmin(0)]).mean()
    return precision, (between.min(1) <= reach(fake)[between.argmin(1)]).mean()


def _strict(real, fake, k):
    reach = lambda cloud: np.sort(cdist(cloud, cloud), 1)[:, k] if np.ptp(cloud) != 1 else np.full(len(cloud), -1.0)
    between = cdist(real, fake)
    return (between <= reach(real)[:, None]).any(0).mean(), (between <= reach(fake)).any(1).mean()


def _both(reach=lambda cloud, other, k: np.sort(cdist(cloud, cloud), 1)[:, k], k=None, swapped=False):
    def answer(real, fake, given):
        n, between = k or given, cdist(real, fake)
        precision = (between <= reach(real, fake, n)[:, None]).any(0).mean()
        recall = (between <= reach(fake, real, n)).any(1).mean()
        return (recall, precision) if swapped else (precision, recall)

    return answer


MISCONCEPTIONS = {
    "swapped": (_both(swapped=True), "exchanged"),
    "itself counted": (_both(lambda cloud, other, k: np.sort(cdist(cloud, cloud), 1)[:, k - 1]), "the point itself"),
    "the other cloud": (_both(lambda cloud, other, k: np.sort(cdist(cloud, other), 1)[:, k - 1]), "*own* cloud"),
    "one ball": (_both(lambda cloud, other, k: np.full(len(cloud), 40.0)), "a quarter of the fakes"),
    "always five": (_both(k=5), "k is 7"),
    "at most five": (lambda real, fake, k: _both()(real, fake, min(k, 5)), "k is 7"),
    "two features": (lambda real, fake, k: _both()(real[:, :2], fake[:, :2], k), "k is 7"),
    "one number": (lambda real, fake, k: 0.5, "return two numbers"),
    "nothing": (lambda real, fake, k: None, "nothing came back"),
    "each point": (lambda real, fake, k: (np.ones(len(fake)), np.ones(len(fake))), "return two numbers"),
    "itself in precision": (lambda r, f, k: (_both()(r, f, k - 1)[0], _both()(r, f, k)[1]), "counts the point itself"),
    "the nearest ball": (_nearest, "any one will do"),
    "twins are one": (_both(_apart), "at the distance 0"),
    "mean radius": (lambda r, f, k: (_both(_mean)(r, f, k)[0], _both()(r, f, k)[1]), "k is 7"),
    "without the edge": (_strict, "the edge of a ball"),
    "in place": (lambda real, fake, k: _both()(np.divide(real, 2, out=real), fake / 2, k), "nothing in place"),
}
ALTERNATIVES = {
    "an array": lambda real, fake, k: np.array(_both()(real, fake, k)),
    "tensors": lambda real, fake, k: torch.tensor(precision_recall(torch.tensor(real), torch.tensor(fake), k)),
}
### END HIDDEN TESTS


# %% [markdown]
# Two forgers of four heaps. One is exact, but has forgotten one heap of the four. The other knows all four, and blurs
# each to twice its width. Predict: which of the two does FID prefer?

# %% tags=["prediction"]
guess_08_5 = "nothing yet"  # your prediction, in words or numbers, before you run on

# %%
dice = np.random.default_rng(0)
heaps = np.array([[-3, -3], [-3, 3], [3, -3], [3, 3]])
true = heaps[dice.integers(4, size=800)] + 0.5 * dice.normal(size=(800, 2))
forgetful = heaps[dice.integers(3, size=800)] + 0.5 * dice.normal(size=(800, 2))
blurred = heaps[dice.integers(4, size=800)] + 1.0 * dice.normal(size=(800, 2))
for name, cloud in (("forgetful", forgetful), ("blurred", blurred)):
    precision, recall = both(true, cloud, 5)
    print(f"{name}: FID {fid(true, cloud):.2f}, precision {precision:.2f}, recall {recall:.2f}")
print("you said:", guess_08_5)
assert fid(true, forgetful) > 3 * fid(true, blurred) and both(true, forgetful, 5)[0] > both(true, blurred, 5)[0] + 0.1

# %% [markdown]
# The blurred one, by far. A heap that is missing moves the mean and the covariance of the whole; a blur that is small
# beside the distance of the heaps hardly does. Precision sees the blur and recall the missing heap: one number cannot
# say which of the two you have.

# %% [markdown]
# ## 08.6 · debug · 20 min · ●●●○○ · All black
#
# *Chapter 08: [1 · As printed](../chapters/08_images.ipynb#1-·-As-printed)*
#
# `batches` cuts images of bytes into batches for a model that wants numbers from -1 to 1. A GAN that was trained with
# it draws black squares and is content. Measure: what is the smallest number in a batch, and what is the largest? Then
# write `mended`. The function with the bug stands above it.


# %% nbgrader={"grade": false, "grade_id": "08-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def scaled(images):
    return images / 127.5 - 1


def batches(images, size):
    images = scaled(images)
    return [scaled(images[i : i + size]) for i in range(0, len(images), size)]


def mended(images, size):
    ### BEGIN SOLUTION
    images = scaled(images)
    return [images[i : i + size] for i in range(0, len(images), size)]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "08-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    def at(images, size):
        got = course.attempt(mended, images.copy(), size)
        assert np.ndim(got[0] if len(got) else got) == 3, "return a list of batches, each of them images (B, H, W)"
        return [np.asarray(part) for part in got]

    images = np.zeros((7, 4, 4), dtype=np.uint8)
    images[1::2], images[6, 0, 0] = 255, 51
    got = at(images, 3)
    assert len(got) != 2, "the last batch is smaller, but its images count too"
    sizes = [len(part) for part in got]
    assert sizes == [3, 3, 1], f"three batches of 3, 3 and 1 images, not {sizes}"
    every = np.concatenate(got)
    assert every.shape == (7, 4, 4), f"seven images of 4 x 4 pixels, not {every.shape}"
    low, high = float(every.min()), float(every.max())
    assert not (low < -0.99 and high < -0.98), (
        f"still twice: all numbers lie from {low:.3f} to {high:.3f}, a thousandth of grey"
    )
    assert high < 2, f"the largest is {high}: bytes were not scaled at all"
    assert low != 0, "from 0 to 1: the model ends in tanh, and wants black at -1"
    assert high > 0, f"the largest is {high:.4f}: twice a byte is more than a byte holds; divide first"
    near = math.isclose(low, -1, abs_tol=1e-6) and math.isclose(high, 1, abs_tol=1e-6)
    assert near, f"black is -1 and white is 1, not {low} and {high}"
    grey = float(every[6, 0, 0])
    assert math.isclose(grey, -0.6, abs_tol=1e-6), f"51 of 255 is a fifth of the way: -0.6, not {grey}"
    dark = np.arange(90, dtype=np.uint8).reshape(6, 3, 5)  # no two pixels are equal, none is white
    for size, sizes in ((3, [3, 3]), (2, [2, 2, 2]), (4, [4, 2])):
        got = at(dark, size)
        assert all(map(len, got)), f"6 images in batches of {size}: no empty batch where the last one is full"
        assert [len(part) for part in got] == sizes, f"6 images in batches of {size}: {sizes}"
        every = np.concatenate(got)
        assert every.shape == dark.shape, f"images of 3 x 5 pixels stay so, not {every.shape[1:]}"
        assert np.allclose(every.max(), 89 / 127.5 - 1), "dark images stay dark: 127.5, whatever the images hold"
        assert np.allclose(every, dark / 127.5 - 1), "every pixel of every image once, where it was"


check_mended(mended)


### BEGIN HIDDEN TESTS
def _cut(images, size):
    return [images[i : i + size] for i in range(0, len(images), size)]


def _in_place(images, size):
    images[:] = 0
    return _cut(scaled(images), size)


MISCONCEPTIONS = {
    "unchanged": (batches, "still twice"),
    "never": (lambda images, size: _cut(images, size), "not scaled at all"),
    "from 0 to 1": (lambda images, size: _cut(images / 255, size), "from 0 to 1"),
    "last one dropped": (lambda images, size: _cut(scaled(images), size)[:-1], "its images count too"),
    "by 128": (lambda images, size: _cut(images / 128 - 1, size), "white is 1"),
    "rounded": (lambda images, size: _cut(np.sign(scaled(images)), size), "a fifth of the way"),
    "turned round": (lambda images, size: _cut(-scaled(images), size), "a fifth of the way"),
    "written into": (_in_place, "nothing in place"),
    "nothing": (lambda images, size: None, "nothing came back"),
    "one number": (lambda images, size: [0.5], "return a list"),
    "empty one": (
        lambda images, size: _cut(scaled(images), size) + [scaled(images)[:0]] * (len(images) == 6),
        "no empty",
    ),
    "by the brightest": (lambda images, size: _cut(2 * (images / images.max()) - 1, size), "dark images stay dark"),
    "threes": (lambda images, size: _cut(scaled(images), 3), "6 images in batches of 2"),
    "turned": (lambda images, size: _cut(scaled(images).transpose(0, 2, 1), size), "3 x 5 pixels"),
    "a batch reversed": (lambda images, size: [part[::-1] for part in _cut(scaled(images), size)], "where it was"),
    "overflow": (lambda images, size: _cut(images * np.uint8(2) / 255 - 1, size), "divide first"),
}
ALTERNATIVES = {
    "float32": lambda images, size: _cut(images.astype(np.float32) / 127.5 - 1, size),
    "tensors": lambda images, size: list(torch.tensor(scaled(images)).split(size)),
    "one scaling undone": lambda images, size: [(part + 1) * 127.5 for part in batches(images, size)],
    "a tuple": lambda images, size: tuple(_cut(scaled(images), size)),
}
### END HIDDEN TESTS


# %% [markdown]
# ## 08.7 · challenge · 60 min · ●●●●● · Fewer calls
#
# *Chapter 08: [4 · From noise](../chapters/08_images.ipynb#4-·-From-noise)*
#
# The flow's recipe asks its network 25 times for a digit. Write `recipe()`: a dictionary with `steps`, `guidance` and
# `between` that asks at most 12 times. The score is FID and recall of a thousand digits, held against the chapter's
# table: copy its `paint` and `judgement` into a cell here, or your recipe into the chapter. `calls`, in the cell of the
# check, counts. The check asks only for what any recipe has to keep.


# %% nbgrader={"grade": false, "grade_id": "08-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def recipe():
    ### BEGIN SOLUTION
    return {"steps": 4, "guidance": 1.4, "between": (0.4, 0.8)}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "08-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
def calls(steps, guidance, between):
    """How often Heun's method asks the network for one digit; with guidance twice, with and without the label."""
    asked = []

    def network(x, t, labels):
        asked.append(len(x))
        return torch.zeros_like(x)

    network.config = unet.Config()
    sample.ode(sample.guided(network, torch.tensor([0]), guidance, between), torch.zeros(1), steps)
    return sum(asked)


@course.hints
def check_recipe(recipe):
    got = course.attempt(recipe)
    assert isinstance(got, dict) and set(got) == {"steps", "guidance", "between"}, "a dictionary with the three keys"
    steps, guidance, between = got["steps"], got["guidance"], got["between"]
    whole = isinstance(steps, numbers.Integral) and not isinstance(steps, bool)
    assert whole and steps >= 1, f"steps is a whole number from 1, not {steps!r}"
    number = isinstance(guidance, numbers.Real) and not isinstance(guidance, bool)
    assert number and math.isfinite(guidance), f"guidance is one finite number, not {guidance!r}"
    assert guidance >= 0, "guidance below 0 pushes away from the label"
    pair = np.shape(between) == (2,) and all(isinstance(t, numbers.Real) for t in between)
    assert pair, f"between holds two times, not {between!r}"
    assert 0 <= between[0] <= between[1] <= 1, "between: two times from 0 to 1, the earlier first; noise is at 1"
    asked = calls(steps, guidance, between)
    assert asked <= 12, f"at most 12 calls; this recipe asks {asked} times"


check_recipe(recipe)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "a list": (lambda: [4, 1.4, (0.3, 0.9)], "three keys"),
    "too many steps": (lambda: {"steps": 8, "guidance": 1.4, "between": (0.3, 0.9)}, "at most 12 calls"),
    "guidance counts twice": (lambda: {"steps": 6, "guidance": 2.0, "between": (0.0, 1.0)}, "at most 12 calls"),
    "half a step": (lambda: {"steps": 4.5, "guidance": 1.4, "between": (0.3, 0.9)}, "whole number"),
    "wrong way": (lambda: {"steps": 4, "guidance": -1.0, "between": (0.3, 0.9)}, "away from the label"),
    "times turned round": (lambda: {"steps": 4, "guidance": 1.4, "between": (0.9, 0.3)}, "the earlier first"),
    "one time": (lambda: {"steps": 4, "guidance": 1.4, "between": 0.5}, "two times"),
    "words": (lambda: {"steps": 4, "guidance": 1.4, "between": ("0.4", "0.8")}, "two times"),
    "no times": (lambda: {"steps": 4, "guidance": 1.4, "between": (None, 0.8)}, "two times"),
    "thirteen by rounding": (lambda: {"steps": 5, "guidance": 1.6, "between": (0.2, 0.5)}, "13 times"),
    "nothing": (lambda: None, "nothing came back"),
    "nan": (lambda: {"steps": 4, "guidance": math.nan, "between": (0.3, 0.9)}, "one finite number"),
}
ALTERNATIVES = {
    "numbers of a sweep": lambda: {"steps": np.int64(4), "guidance": np.float32(1.4), "between": np.array([0.4, 0.8])},
    "without guidance": lambda: {"steps": 6, "guidance": 1, "between": [0, 1]},
}
### END HIDDEN TESTS
