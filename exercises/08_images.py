# %% [markdown]
# # 08 · Images in practice: exercises
#
# Run the first cell, then take the exercises in any order. Each check tells you what it expected; when it is silent, you
# are done.

# %%
import math

import numpy as np
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from aigc.evaluate.image import frechet, precision_recall

_ = torch.manual_seed(0)


# %% [markdown]
# ## 08.1 · verify · 10 min · ●○○○○ · The sides of an image
#
# Write `sides(n, layers)`: the side of a square image of `n` pixels after each layer, as a list. A layer is
# `(kind, k, s, p)`, where kind is `"conv"` or `"transposed"`: the window, the step and the margin of section 1.

# %% nbgrader={"grade": false, "grade_id": "08-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sides(n, layers):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_sides(sides):
    got = sides(7, [("transposed", 4, 2, 1)] * 3)
    assert isinstance(got, (list, tuple)), "return a list, with a side for each layer"
    got = list(got)
    assert len(got) == 3, f"three layers, three sides, without the one of the beginning: not {got}"
    assert got != [14, 14, 14], "each layer begins where the one before it ended"
    assert got != [16, 34, 70], "the margin is cut off on both sides, *minus* 2p; and between n pixels are n - 1 steps"
    assert got != [8, 9, 10], "the pixels are spread s apart: (n - 1) *times* s"
    assert got == [14, 28, 56], f"the article's generator: [14, 28, 56], not {got}"
    down = sides(28, [("conv", 4, 2, 1), ("conv", 4, 2, 1)])
    assert list(down) != [13, 5], "an ordinary convolution: one window fits even where no step is left, + 1"
    assert list(down) != [56, 112], "an ordinary convolution makes the image smaller: it is not the transposed one"
    assert list(down) == [14, 7], f"a detective's two layers: [14, 7], not {down}"
    odd = sides(8, [("conv", 3, 2, 0)])
    assert list(odd) == [3], f"a window that does not fit is left out: round down, 3, not {odd}"
    assert all(float(n) == int(n) and isinstance(n, (int, np.integer)) for n in odd), "sides are whole: // and not /"


check_sides(sides)


# %% [markdown]
# ## 08.2 · verify · 15 min · ●●○○○ · What the bottleneck costs
#
# Write `price(mu, logvar)`: the KL of (8.3), $\mathrm{KL}(N(\mu, \sigma^2) \,\|\, N(0, 1))$, where `logvar` is
# $\log \sigma^2$. Both are tensors (B, noise); return the nats of each image, (B,).

# %% nbgrader={"grade": false, "grade_id": "08-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def price(mu, logvar):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_price(price):
    mu = torch.tensor([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    logvar = torch.tensor([[0.0, 0.0], [0.0, 0.0], [-2.0, 1.0]])
    got = price(mu, logvar)
    assert torch.is_tensor(got), "return a tensor"
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


check_price(price)


# %% [markdown]
# ## 08.3 · modify · 15 min · ●●○○○ · Guidance, while it does good
#
# Write `push(without, with_label, scale, t, between)`: the velocity at the time `t`. Between the two times, both included,
# it exaggerates the label by `scale` as in (8.7): 0 ignores the label, 1 is the model's own belief. At other times it is
# the model's own belief.

# %% nbgrader={"grade": false, "grade_id": "08-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def push(without, with_label, scale, t, between):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_push(push):
    without, with_label = torch.tensor([1.0, 0.0]), torch.tensor([2.0, 4.0])
    at = lambda scale, t, between=(0.3, 0.9): push(without, with_label, scale, t, between)
    got = at(3.0, 0.5)
    assert torch.is_tensor(got) and got.shape == (2,), "return a velocity, as long as the two"
    wrong_way = got.tolist() in ([-1.0, -8.0], [-2.0, -12.0])
    assert not wrong_way, "the wrong way: from the answer without towards the one with the label"
    assert got.tolist() != [5.0, 16.0], "off by one: begin at the answer *without*, so that 1 is the model's own belief"
    assert got.tolist() != [3.0, 12.0], "only the difference is exaggerated; the answer without is where it begins"
    assert got.tolist() == [4.0, 12.0], f"(1, 0) + 3 (1, 4) = (4, 12), not {got.tolist()}"
    assert at(1.0, 0.5).tolist() == [2.0, 4.0], "at 1 it is the model's own belief, with the label"
    assert at(0.0, 0.5).tolist() == [1.0, 0.0], "at 0 the label is ignored"
    early, late = at(3.0, 0.95).tolist(), at(3.0, 0.1).tolist()
    assert early != [1.0, 0.0] and late != [1.0, 0.0], "at other times the label is still *told*, but not exaggerated"
    assert early != [4.0, 12.0], "it pushes too early: t = 1 is noise, and between ends at 0.9"
    assert late != [4.0, 12.0], "it pushes too late: between begins at 0.3"
    assert early == late == [2.0, 4.0], f"at other times: the model's own belief, not {early} and {late}"
    assert at(3.0, 0.3).tolist() == at(3.0, 0.9).tolist() == [4.0, 12.0], "both ends are included"


check_push(push)


# %% [markdown]
# ## 08.4 · investigate · 25 min · ●●●○○ · What FID is blind to
#
# FID looks at a mean and a covariance. Write `impostor(real)`: as many points as `real` (N, F), a float64 tensor, whose
# FID to them is zero, but for rounding, and which are *not* them: of a ring, an impostor whose points lie anywhere but
# on the ring. Normal noise has almost the right covariance. How do you make it exactly right? Then look at precision.

# %% nbgrader={"grade": false, "grade_id": "08-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def impostor(real):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_impostor(impostor):
    torch.manual_seed(1)
    angle = torch.arange(999, dtype=torch.float64) / 999 * 2 * math.pi
    ring = torch.stack([3 + 2 * angle.cos(), angle.sin()], dim=1)  # an ellipse, off the middle
    got = impostor(ring)
    assert torch.is_tensor(got) and got.shape == ring.shape, "as many points as were given, (N, F)"
    assert got.dtype == torch.float64, "in float64: rounding alone would be seen"
    assert torch.cdist(got, ring).min(1).values.max() > 1e-3, "these are the real points, only in another order"
    off = (got.mean(0) - ring.mean(0)).abs().max()
    assert off < 1e-6, f"the mean is off by {off:.3g}: subtract your noise's own mean first"
    differ = (torch.cov(got.T) - torch.cov(ring.T)).abs().max()
    assert differ > 1e-4 or differ < 1e-8, "nearly: solve for the covariance exactly, do not approach it"
    assert not torch.allclose(got.var(0), ring.var(0)) or differ < 1e-4, "the variances fit, the covariances do not"
    assert differ < 1e-8, f"the covariance is off by {differ:.3g}: first make your noise's own the identity"
    assert frechet(ring, got) < 1e-6, f"then FID is {frechet(ring, got)}"
    precise = precision_recall(ring, got)[0]
    assert precise < 0.5, f"{precise:.0%} of your points lie on the ring: draw them from something without a hole"
    tilted = ring @ torch.tensor([[1.0, 0.6], [0.0, 1.0]], dtype=torch.float64)
    assert frechet(tilted, impostor(tilted)) < 1e-6, "a ring that lies aslant: its features are correlated"


check_impostor(impostor)


# %% [markdown]
# ## 08.5 · build · 45 min · ●●●●○ · FID, precision and recall
#
# Build the measures of section 6 with NumPy, from nothing but `np.cov`, `sqrtm` and `cdist`. First `fid(real, fake)` of
# two arrays (N, F), by (8.6). In this exercise, refuse two clouds of different sizes with a ValueError, because FIDs of
# different sizes cannot be compared. A root of a matrix may come out complex by rounding.

# %% nbgrader={"grade": false, "grade_id": "08-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fid(real, fake):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_fid(fid):
    dice = np.random.default_rng(0)
    real, fake = dice.normal(size=(2, 400, 3))
    fake = fake @ [[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]] + [1.0, 3.0, 0.0]
    got = fid(real, fake)
    assert got is not None and np.ndim(got) == 0, "one number"
    assert not np.iscomplexobj(got), "a complex number: rounding gave the root an imaginary part; take the real one"
    right = frechet(*map(torch.tensor, (real, fake)))
    gap, one, two = real.mean(0) - fake.mean(0), np.cov(real.T), np.cov(fake.T)
    traces, root = np.trace(one) + np.trace(two), np.trace(sqrtm(one @ two).real)
    assert not math.isclose(got, gap @ gap, rel_tol=1e-4), "only the means: where is the covariance term?"
    assert not math.isclose(got, gap @ gap + traces, rel_tol=1e-4), "without the root of C1 C2: minus twice its trace"
    assert not math.isclose(got, math.sqrt(gap @ gap) + traces - 2 * root, rel_tol=1e-4), "the *squared* distance"
    single = gap @ gap + traces - 2 * np.sqrt(np.clip(one @ two, 0, None)).trace()
    assert not math.isclose(got, single, rel_tol=1e-4), "a root of a *matrix*, not of its entries"
    assert not math.isclose(got, math.sqrt(right), rel_tol=1e-4), "this is the distance; FID is its square"
    assert math.isclose(got, right, rel_tol=1e-4), f"expected {right:.4f}, got {got}"
    try:
        fid(real, fake[:100])
    except ValueError:
        return
    raise AssertionError("400 against 100: raise a ValueError, since FIDs of different sizes cannot be compared")


check_fid(fid)


# %% [markdown]
# Then `both(real, fake, k)`: precision and recall. A point lies in a cloud if it is within the ball around *some* point of
# it, and a ball reaches to the k-th neighbour of its middle in the same cloud. Return precision, then recall.

# %% nbgrader={"grade": false, "grade_id": "08-5-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def both(real, fake, k):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-5-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_both(both):
    dice = np.random.default_rng(1)
    real = dice.normal(size=(300, 2)) * 3
    narrow, far = dice.normal(size=(150, 2)) * 0.5, dice.normal(size=(50, 2)) + 30
    fake = np.concatenate([narrow, far])
    got = both(real, fake, 5)
    assert isinstance(got, (tuple, list)) and len(got) == 2, "return two numbers: precision, then recall"
    got = tuple(map(float, got))
    right = precision_recall(torch.tensor(real), torch.tensor(fake), 5)
    assert not np.allclose(got, right[::-1]), "exchanged: precision is about the *fakes*, recall about the real ones"
    near = lambda k: precision_recall(torch.tensor(real), torch.tensor(fake), k)
    assert not np.allclose(got, near(4)), "the nearest of all is the point itself: the k-th *other* one is meant"
    distances = cdist(real, fake)
    over = np.sort(distances, 1)[:, 4], np.sort(distances, 0)[4]
    crossed = (distances <= over[0][:, None]).any(0).mean(), (distances <= over[1]).any(1).mean()
    assert not np.allclose(got, crossed), "a ball reaches to a neighbour in its *own* cloud"
    assert got[0] <= 0.8, "a quarter of the fakes is far from all real ones: precision cannot be more than 3/4"
    assert np.allclose(got, right), f"expected {right}, got {got}"
    assert np.allclose(both(real, real + 0.0, 5), (1, 1)), "a cloud against itself: 1 and 1"
    small = tuple(both(real[:20], fake[:20], 2))
    assert np.allclose(small, precision_recall(torch.tensor(real[:20]), torch.tensor(fake[:20]), 2)), "k may be another"


check_both(both)


# %% [markdown]
# ## 08.6 · debug · 20 min · ●●●○○ · All black
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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_mended(mended):
    images = np.zeros((7, 4, 4), dtype=np.uint8)
    images[1::2], images[6, 0, 0] = 255, 51
    before = images.copy()
    got = mended(images, 3)
    assert got is not None, "return a list of batches"
    assert (images == before).all(), "the images that were given must stay as they are: do not write into them"
    got = list(got)
    assert len(got) != 2, "the last batch is smaller, but its images count too"
    assert [len(part) for part in got] == [3, 3, 1], f"three batches of 3, 3 and 1 images, not {[len(p) for p in got]}"
    every = np.concatenate(got)
    low, high = float(every.min()), float(every.max())
    assert not (low < -0.99 and high < -0.98), (
        f"still twice: all numbers lie from {low:.3f} to {high:.3f}, a thousandth of grey"
    )
    assert high < 2, f"the largest is {high}: bytes were not scaled at all"
    assert low != 0, "from 0 to 1: the model ends in tanh, and wants black at -1"
    assert (low, high) == (-1, 1), f"black is -1 and white is 1, not {low} and {high}"
    grey = float(every[6, 0, 0])
    assert math.isclose(grey, -0.6, abs_tol=1e-6), f"51 of 255 is a fifth of the way: -0.6, not {grey}"
    assert float(every[0, 0, 0]) == -1, "black must stay black: an image's brightness is turned round"


check_mended(mended)


# %% [markdown]
# ## 08.7 · challenge · 60 min · ●●●●● · Fewer calls
#
# The flow's recipe asks its network 25 times for a digit. Write `recipe()`: a dictionary with `steps`, `guidance` and
# `between` for the chapter's `paint`, which asks at most 12 times. The score is FID and recall of a thousand digits,
# held against the chapter's table. `calls` counts. The check asks only for what any recipe has to keep.

# %% nbgrader={"grade": false, "grade_id": "08-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def recipe():
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def calls(steps, guidance, between):
    """How often Heun's method asks the network, where a time with guidance counts twice."""
    times = [1 - k / steps for k in range(steps + 1)]
    asked = [t for pair in zip(times, times[1:]) for t in pair if t > 0]
    return sum(2 if guidance != 1 and between[0] <= t <= between[1] else 1 for t in asked)


def check_recipe(recipe):
    got = recipe()
    assert isinstance(got, dict) and set(got) == {"steps", "guidance", "between"}, "a dictionary with the three keys"
    steps, guidance, between = got["steps"], got["guidance"], got["between"]
    whole = isinstance(steps, (int, np.integer)) and not isinstance(steps, bool)
    assert whole and steps >= 1, f"steps is a whole number from 1, not {steps!r}"
    number = isinstance(guidance, (int, float)) and not isinstance(guidance, bool)
    assert number and math.isfinite(guidance), f"guidance is one finite number, not {guidance!r}"
    assert guidance >= 0, "guidance below 0 pushes away from the label"
    pair = isinstance(between, (tuple, list)) and len(between) == 2
    assert pair, f"between holds two times, not {between!r}"
    assert 0 <= between[0] <= between[1] <= 1, "between: two times from 0 to 1, the earlier first; noise is at 1"
    asked = calls(steps, guidance, between)
    assert asked <= 12, f"at most 12 calls; this recipe asks {asked} times"


check_recipe(recipe)
