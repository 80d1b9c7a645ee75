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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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


# %% [markdown]
# ## 08.2 · verify · 15 min · ●●○○○ · What the bottleneck costs
#
# *Chapter 08: [3 · A bottleneck](../chapters/08_images.ipynb#3-·-A-bottleneck)*
#
# Write `price(mu, logvar)`: the KL of (8.3), $\mathrm{KL}(N(\mu, \sigma^2) \,\|\, N(0, 1))$, where `logvar` is
# $\log \sigma^2$, from -60 to 20. Both are tensors (B, noise); return the nats of each image, (B,).

# %% nbgrader={"grade": false, "grade_id": "08-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def price(mu, logvar):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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

# %% tags=["raises-exception"]
angle = torch.arange(1000, dtype=torch.float64) / 1000 * 2 * math.pi
ring = torch.stack([angle.cos(), angle.sin()], dim=1)
false = impostor(ring)
precision, recall = precision_recall(ring, false)
print(f"FID {abs(frechet(ring, false)):.4f}, precision {precision:.2f}, recall {recall:.2f}; you said: {guess_08_4}")
assert frechet(ring, false) < 1e-6 and precision < 0.2 and recall > 0.5


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# A perfect FID, and hardly a point is where it should be. Recall sees nothing either: the impostor's points lie
# everywhere, so each true point has one of them near by. Chapter 08 takes FID over features, as if digits were one
# normal cloud there. Whether they are, FID itself cannot tell.
#
# </details>

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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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


# %% [markdown]
# Then `both(real, fake, k)`: precision and recall. A point lies in a cloud if it is within the ball around *some* point of
# it, and a ball reaches to the k-th neighbour of its middle in the same cloud, its edge included. Return precision, then
# recall.

# %% nbgrader={"grade": false, "grade_id": "08-5-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def both(real, fake, k):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-5-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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

# %% [markdown]
# Two forgers of four heaps. One is exact, but has forgotten one heap of the four. The other knows all four, and blurs
# each to twice its width. Predict: which of the two does FID prefer?

# %% tags=["prediction"]
guess_08_5 = "nothing yet"  # your prediction, in words or numbers, before you run on

# %% tags=["raises-exception"]
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
# <details><summary>What came out: open it when the check is silent</summary>
#
# The blurred one, by far. A heap that is missing moves the mean and the covariance of the whole; a blur that is small
# beside the distance of the heaps hardly does. Precision sees the blur and recall the missing heap: one number cannot
# say which of the two you have.
#
# </details>

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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "08-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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
