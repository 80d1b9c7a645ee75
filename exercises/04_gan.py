# %% [markdown]
# # 04 · GAN theory: exercises
#
# Run the first cell, then take the exercises in any order. No function changes what it is given. Each check tells you
# what it expected; when it is silent, you are done.

# %%
import math

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from aigc import course

_ = torch.manual_seed(0)


# %% [markdown]
# ## 04.1 · verify · 10 min · ●○○○○ · The best detective
#
# *Chapter 04: [1 · The game](../chapters/04_gan.ipynb#1-·-The-game)*
#
# Write `game(p, q)`: the best detective's answers (4.2), and what they earn, `V` of (4.1), in nats. `p` and `q` are arrays
# of probabilities, none of them below a millionth. Return both.

# %% nbgrader={"grade": false, "grade_id": "04-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def game(p, q):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "04-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_game(game):
    got = course.attempt(game, np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6]))
    two = isinstance(got, (tuple, list)) and len(got) == 2
    assert two, "return two things: the answers of the detective, and what they earn"
    D, V = got
    assert np.shape(D) == (3,), f"one answer for each kind of coin: expected 3, got an array of shape {np.shape(D)}"
    assert not np.allclose(D, [1 / 6, 1 / 2, 3 / 4]), "the labels are swapped: D is how probable it is that x is *real*"
    assert not np.allclose(D, [5, 1, 1 / 3]), "this is the ratio p/q; a probability lies between 0 and 1"
    assert np.allclose(D, [5 / 6, 1 / 2, 1 / 4]), f"of the first kind five of six coins are real; you say {D}"
    assert V is not None and np.shape(V) in ((), (1,)), "what they earn is one number: sum over the kinds of coins"
    right = 0.5 * np.log(5 / 6) + 0.3 * np.log(1 / 2) + 0.2 * np.log(1 / 4)
    assert not np.isclose(V, right), "the false coins pay too: add the mean of log(1 - D) under q"
    right += 0.1 * np.log(1 / 6) + 0.3 * np.log(1 / 2) + 0.6 * np.log(3 / 4)
    assert not np.isclose(V, right / 2), "without the factor 1/2: (4.1) is a sum of two means, not their average"
    assert not np.isclose(V, -right), "this is the detective's loss; what it earns has the other sign"
    assert not np.isclose(V, right / np.log(2)), "in nats: natural logarithms"
    assert np.isclose(V, right), f"expected {right:.4f} nats, got {V}"
    V = course.attempt(game, np.full(4, 0.25), np.full(4, 0.25))[1]
    assert np.isclose(V, -math.log(4)), f"four kinds, a perfect forger: it earns -log 4 = {-math.log(4):.4f}, not {V}"
    D, V = course.attempt(game, np.array([0.7, 0.3]), np.array([0.2, 0.8]))
    assert np.allclose(D, [7 / 9, 3 / 11]) and np.isclose(
        V, 0.7 * np.log(7 / 9) + 0.3 * np.log(3 / 11) + 0.2 * np.log(2 / 9) + 0.8 * np.log(8 / 11)
    ), f"two kinds of coins: not {D} and {V}"


check_game(game)


# %% [markdown]
# ## 04.2 · verify · 15 min · ●●○○○ · What the forger wants
#
# *Chapter 04: [2 · The gradient](../chapters/04_gan.ipynb#2-·-The-gradient)*
#
# Write `pulls(score)`: how hard each loss of (4.4) pulls on a coin with this score, that is, minus the derivative of the
# saturating and of the non-saturating loss with respect to the score. Return both, in this order. `score` may be any
# number, also -800.

# %% nbgrader={"grade": false, "grade_id": "04-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pulls(score):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "04-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_pulls(pulls):
    got = course.attempt(pulls, -2.0)
    two = isinstance(got, (tuple, list)) and len(got) == 2 and all(x is not None and np.shape(x) == () for x in got)
    assert two, "return two numbers: the pull of the saturating loss, then of the other"
    got = tuple(map(float, got))
    D = 1 / (1 + math.exp(2))
    assert not np.allclose(got, (1 - D, D)), (
        "exchanged: log(1 - D) is the one that is flat where the detective is sure of a fake, at low scores"
    )
    assert not np.allclose(got, (-D, -(1 - D))), "the pull is *minus* the derivative: both losses want a higher score"
    assert not np.allclose(got, (1 / (1 - D), 1 / D)), "this is the slope in D; the score is one sigmoid further"
    assert np.allclose(got, (D, 1 - D)), f"at the score -2: expected {D:.4f} and {1 - D:.4f}, got {got}"
    assert np.allclose(course.attempt(pulls, 0.0), (0.5, 0.5)), "where the detective knows nothing, both pull alike"
    for score in (2.0, 0.7, -0.4, 30.0, -30.0):
        got, D = tuple(map(float, pulls(score))), 1 / (1 + math.exp(-score))
        assert np.allclose(got, (D, 1 - D)), f"at the score {score}: expected {D:.4f} and {1 - D:.4f}, got {got}"
    try:
        sure = [tuple(map(float, pulls(score))) for score in (-800.0, 800.0)]
    except OverflowError as error:
        raise AssertionError(
            "exp(800) is too large for a float: take the form of the sigmoid that fits the sign"
        ) from error
    assert np.allclose(sure, ((0, 1), (1, 0))), f"at -800 expected (0, 1), at 800 (1, 0), not {sure}; inf / inf is nan"


check_pulls(pulls)

# %% [markdown]
# ## 04.3 · modify · 20 min · ●●●○○ · A little noise
#
# *Chapter 04: [2 · The gradient](../chapters/04_gan.ipynb#2-·-The-gradient)*
#
# All real coins weigh 0, all false ones `theta`. Their JSD is log 2 for every `theta` but 0, and its slope is zero. Now
# every coin, real or false, gets Gaussian noise of deviation `s`. Write `noisy(theta, s)`: the JSD of the two bells, in
# nats, by a sum over a fine ruler. `theta` is at most 200 `s` from 0.
#
# Predict: now there is a slope. For `s` = 1, at which `theta` is it steepest: at 0, at 2, or at 8?

# %% tags=["prediction"]
guess_04_3 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "04-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def noisy(theta, s):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "04-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_noisy(noisy):
    got = course.attempt(noisy, 1.0, 1.0)
    assert np.ndim(got) == 0, "one number: sum over the ruler"
    far = course.attempt(noisy, 40.0, 1.0)
    for value in (got, far):
        assert not math.isnan(value), "far from its bell a density is exactly 0: 0 log 0 counts as 0"
        assert not math.isinf(value), "far out the mixture rounds to 0 before p does: leave out densities below 1e-300"
    right = 0.11142
    assert not math.isclose(got, 2 * right, rel_tol=1e-3), "this is twice the JSD: it is the *mean* of the two KL"
    assert not math.isclose(got, 0.5, rel_tol=1e-3), "this is KL(p|q): both are compared with the mixture m = (p + q)/2"
    assert not math.isclose(got, right / math.log(2), rel_tol=1e-3), "in nats: natural logarithms"
    assert math.isclose(got, right, rel_tol=1e-3), f"two bells one deviation apart: expected {right}, got {got}"
    assert math.isclose(far, math.log(2), rel_tol=1e-3), f"two clouds that do not meet: log 2, not {far}"
    assert noisy(1.0, 2.0) < noisy(1.0, 0.5), "more noise on both makes them more alike"
    wide, wider, lighter = noisy(2.0, 2.0), noisy(100.0, 100.0), noisy(-1.0, 1.0)
    assert not math.isclose(wide, 0.20135, rel_tol=1e-3), (
        f"s is the deviation, not the variance: at (2, 2) {right}, not {wide}"
    )
    for big, value in ((2, wide), (100, wider)):
        assert math.isclose(value, right, rel_tol=1e-3), (
            f"all {big} times larger, ({big}, {big}): {right} again, not {value}. Is the ruler as wide as the bells?"
        )
    assert math.isclose(lighter, right, rel_tol=1e-3), f"theta may be negative: at (-1, 1) {right}, not {lighter}"
    apart = noisy(200.0, 1.0)  # between the bells even their sum is 0
    assert math.isclose(apart, math.log(2), rel_tol=1e-3), f"two bells very far apart: log 2, not {apart}"
    left = course.attempt(noisy, -9.0, 1.0)
    assert math.isclose(left, math.log(2), rel_tol=1e-3), (
        f"false coins of -9: log 2, not {left}. Does the ruler reach beyond both bells, whichever is on the left?"
    )
    small = noisy(0.001, 0.001)
    assert math.isclose(small, right, rel_tol=1e-3), (
        f"all a thousand times smaller, (0.001, 0.001): {right} again, not {small}. The steps of the ruler are of the size of s"
    )
    assert noisy(1.1, 1.0) > noisy(1.0, 1.0), "here is the slope that was bought"


check_noisy(noisy)

# %% tags=["raises-exception"]
steepness = {theta: (noisy(theta + 0.01, 1.0) - noisy(theta - 0.01, 1.0)) / 0.02 for theta in (0, 0.5, 1, 2, 4, 8, 16)}
for theta, slope in steepness.items():
    print(f"theta {theta}: JSD {noisy(theta, 1.0):.3f}, slope {slope:.4f} nats")
print("you said:", guess_04_3)
assert max(steepness, key=steepness.get) == 2 and steepness[16] < 1e-6

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# Between the two ends only. Where the bells lie on one another there is nothing to gain; where they are many deviations
# apart the slope is as good as none, as it was without noise. So noise buys a slope as far as the noise reaches, and to
# reach far it must be so wide that all coins look alike. Try other deviations.
#
# </details>

# %% [markdown]
# ## 04.4 · investigate · 20 min · ●●●○○ · How fast does it spiral?
#
# *Chapter 04: [3 · The dance](../chapters/04_gan.ipynb#3-·-The-dance)*
#
# A detective who moves twice before the forger answers: does the pair of (4.6) come home? Write `growth(rule, lr)`: the
# factor by which a linear rule, `x, y = rule(x, y, lr)`, makes the distance grow in the long run: the largest modulus of
# the eigenvalues of its matrix. Then try it on `twice`, and on rules of your own.
#
# Predict, for `twice`: home, round and round, or away? And does it matter how large `lr` is?

# %% tags=["prediction"]
guess_04_4 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "04-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def twice(x, y, lr):
    y = y + 2 * lr * x
    return x - lr * y, y


def growth(rule, lr):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "04-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_growth(growth):
    together = lambda x, y, lr: (x - lr * y, y + lr * x)
    got = course.attempt(growth, together, 0.5)
    assert np.ndim(got) == 0, "one number: the largest modulus of the eigenvalues"
    assert not np.iscomplexobj(got), "an eigenvalue may be complex: take its modulus"
    assert not math.isclose(got, 1.0, rel_tol=1e-3), "the real part alone does not see the rotation: take the modulus"
    assert not math.isclose(got, 1.25, rel_tol=1e-3), "this is the determinant, the product of *two* eigenvalues"
    assert math.isclose(got, math.sqrt(1.25), rel_tol=1e-3), (
        f"expected sqrt(1 + 0.25) = {math.sqrt(1.25):.4f}, got {got}"
    )
    uneven = lambda x, y, lr: (0.9 * x + y, 0.5 * y)
    assert math.isclose(course.attempt(growth, uneven, 0.1), 0.9, rel_tol=1e-3), (
        "the *largest* eigenvalue wins in the long run, not one step's factor"
    )
    mirrored = lambda x, y, lr: (0.5 * x, x - 0.9 * y)
    assert math.isclose(growth(mirrored, 0.1), 0.9, rel_tol=1e-3), (
        "an eigenvalue of -0.9 outweighs one of 0.5: first the moduli, then the maximum"
    )
    ahead = lambda x, y, lr: (x / 2, (1 + lr) * y)
    assert math.isclose(growth(ahead, 0.1), 1.1, rel_tol=1e-3), (
        "x halves, y grows by a tenth: 1.1. A walk that begins on one axis does not see the other: look at the whole matrix"
    )
    got = growth(twice, 0.2)
    assert math.isclose(got, 1.0, rel_tol=1e-3), f"`twice` goes round an ellipse, and comes no nearer: 1, not {got}"


check_growth(growth)

# %% tags=["raises-exception"]
rates = (0.1, 0.5, 1.0, 1.4, 1.5)
for name, rule in (("both at once", lambda x, y, lr: (x - lr * y, y + lr * x)), ("twice, then once", twice)):
    print(f"{name}: " + ", ".join(f"{growth(rule, lr):.3f} at {lr}" for lr in rates))
print("you said:", guess_04_4)
assert all(abs(growth(twice, lr) - 1) < 1e-6 for lr in rates[:-1]) and growth(twice, rates[-1]) > 1.5


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# Round and round, however often the detective moves: to answer the newest move keeps the distance, and more moves do
# not bring it home. Then, beyond a rate, it is thrown out all at once. With `twice` you can find the rate by pencil: the
# determinant of its matrix is 1, so it goes round as long as the trace is between -2 and 2. To come home, each round
# must also shorten the distance: that is what the penalty of section 5 adds.
#
# </details>

# %% [markdown]
# ## 04.5 · build · 45 min · ●●●●○ · Two penalties on a slope
#
# *Chapter 04: [5 · What is bought](../chapters/04_gan.ipynb#5-·-What-is-bought)*
#
# Build both penalties from one part. First `slopes(D, x)`: the *norm* of the gradient of `D` at each row of `x` (B, d),
# as a tensor (B,). It must carry a graph, so that a detective can learn from it, also where `D` is flat: a root has no
# slope at 0, so put 1e-12 under it. `D` gives one score a row.

# %% nbgrader={"grade": false, "grade_id": "04-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def slopes(D, x):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "04-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_slopes(slopes):
    x = torch.tensor([[3.0, 4.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    bowl = lambda x: x.square().sum(-1) / 2  # its gradient at x is x
    got = course.attempt(slopes, bowl, x)
    assert torch.is_tensor(got), "return a tensor, one norm for each row"
    assert got.shape != (), "one norm a row: what is averaged, and when, is decided later"
    assert got.shape == (3,), f"expected the shape (3,), got {tuple(got.shape)}"
    assert got.dtype == x.dtype, f"float64 in, float64 out, not {got.dtype}"
    right = torch.tensor([5.0, 1.0, 1.0], dtype=torch.float64)
    assert not torch.allclose(got, right / 3, atol=1e-4), "use the sum of the scores: a mean divides each slope by B"
    assert not torch.allclose(got, right**2, atol=1e-4), "this is the square of the norm"
    assert torch.allclose(got, right, atol=1e-4), f"expected {right.tolist()}, got {got.tolist()}"
    layer = nn.Linear(2, 1).double()
    nn.init.ones_(layer.weight)  # a plane, whose slope is the norm of its weights everywhere
    got = slopes(lambda x: layer(x)[:, 0], x)
    assert got.requires_grad, "no graph: create_graph=True lets D learn from its slope"
    learnt = torch.autograd.grad(got.sum(), layer.weight, allow_unused=True)[0]
    right = torch.full((1, 2), 3 / math.sqrt(2), dtype=torch.float64)
    assert learnt is not None and torch.allclose(learnt, right, atol=1e-4), (
        f"the graph has to lead back to the weights of D: of a plane they learn {right.tolist()}, not {learnt}"
    )
    middle = torch.zeros(1, 2, dtype=torch.float64)
    weights = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    got = slopes(lambda x: (x * weights).square().sum(-1) / 2, middle)
    flat = torch.autograd.grad(got.sum(), weights, allow_unused=True)[0]
    finite = flat is not None and got.isfinite().all() and flat.isfinite().all()
    assert finite, "where D is flat the root has no slope: add something tiny, 1e-12, below it, or D learns nan"


check_slopes(slopes)


# %% [markdown]
# Then `penalties(D, real, fake, t)`: R1 (4.8) with gamma 1, and the gradient penalty: the mean squared distance of the
# slope from 1, at the point `t` (B,) of the line from `fake` (t = 0) to `real` (t = 1), for each pair. Return both. Refuse
# with a ValueError: a `t` outside 0 .. 1 or of another length, and clouds of different shapes.

# %% nbgrader={"grade": false, "grade_id": "04-5-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def penalties(D, real, fake, t):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "04-5-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_penalties(penalties):
    bowl, layer = lambda x: x.square().sum(-1) / 2, nn.Linear(2, 1).double()
    real = torch.tensor([[3.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    fake, t = torch.tensor([[1.0, 0.0], [3.0, 4.0]], dtype=torch.float64), torch.tensor([0.5, 0.25]).double()
    got = course.attempt(penalties, bowl, real, fake, t)
    assert isinstance(got, (tuple, list)) and len(got) == 2, "return two penalties: R1, then the gradient penalty"
    single = all(torch.is_tensor(value) and value.shape == () for value in got)
    assert single, "each penalty is a tensor with one number: the mean"
    r1, penalty = (float(value.detach()) for value in got)
    assert not math.isclose(r1, 6.5, rel_tol=1e-4), "R1 is charged at the *real* examples, not at the fakes"
    assert not math.isclose(r1, 5.0, rel_tol=1e-4), "without the factor 1/2: (4.8) begins with gamma / 2"
    assert not math.isclose(r1, 2.0, rel_tol=1e-4), "the mean of the squares, not the square of the mean"
    assert math.isclose(r1, 2.5, rel_tol=1e-4), f"slopes 3 and 1: (9 + 1) / 2 / 2 = 2.5, not {r1}"
    assert not math.isclose(penalty, 1.0, rel_tol=1e-4), "t is exchanged: at t = 1 the point is the real one"
    assert not math.isclose(penalty, 4.0685, rel_tol=1e-4), "one t for each *pair*, not for each column: t[:, None]"
    assert math.isclose(penalty, (1 + 9) / 2, rel_tol=1e-4), f"slopes 2 and 4: (1 + 9) / 2 = 5, not {penalty}"
    assert penalties(bowl, real / 6, fake / 10, t)[1] > 0.1, "slopes *below* 1 are charged too"
    flat = penalties(bowl, real[:1], -real[:1], t[:1])[1].item()
    assert math.isclose(flat, 1, rel_tol=1e-4), f"the slope *at* that point: halfway the bowl is flat: 1, not {flat}"
    ends = course.attempt(penalties, bowl, real, fake, torch.tensor([0.0, 1.0]).double())[1].item()
    assert abs(ends) < 1e-4, f"t may be 0 and 1: at (1, 0) and (0.6, 0.8) the slope is 1, so 0, not {ends}"
    narrow = fake[:, :1]  # would be broadcast
    for wrong in (
        (real, fake, t + 0.6),
        (real, fake, t - 0.3),
        (real, fake[:1], t),
        (real, narrow, t),
        (real, fake, t[:1]),
    ):
        try:
            penalties(bowl, *wrong)
        except ValueError:
            continue
        shapes = [tuple(one.shape) for one in wrong]
        raise AssertionError(f"t = {wrong[2].tolist()}, shapes {shapes}: this has to be refused with a ValueError")
    got = penalties(lambda x: layer(x)[:, 0], real, fake, t)
    assert all(value.requires_grad for value in got), "cut off: D has to learn from both penalties"


check_penalties(penalties)


# %% [markdown]
# ## 04.6 · debug · 20 min · ●●●○○ · A forger that learns in the wrong turn
#
# *Chapter 04: [1 · The game](../chapters/04_gan.ipynb#1-·-The-game)*
#
# `turn` computes what the detective wants and lets it learn. Afterwards, somebody noticed, the *forger* has a gradient as
# well. Measure it: which parameters have a gradient after `turn`? Then write `mended`. The function with the bug stands
# above it.

# %% nbgrader={"grade": false, "grade_id": "04-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def turn(G, D, real, z):
    loss = softplus(-D(real)).mean() + softplus(D(G(z))).mean()
    loss.backward()
    return loss.item()


def mended(G, D, real, z):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "04-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    torch.manual_seed(0)
    G, D, real, z = nn.Linear(2, 3), nn.Linear(3, 1), torch.randn(5, 3), torch.randn(5, 2)
    with torch.no_grad():
        right = (softplus(-D(real)).mean() + softplus(D(G(z))).mean()).item()
    parts = softplus(-D(real)).mean(), softplus(D(G(z).detach())).mean()
    from_real, from_fake = (torch.autograd.grad(part, D.weight)[0] for part in parts)
    got = course.attempt(mended, G, D, real, z)
    assert D.weight.grad is not None, "now the detective learns nothing: only the forgeries must be cut off"
    assert G.weight.grad is None, (
        "the forger still gets a gradient: it would learn to be *caught*. Cut after G, not after D"
    )
    assert not math.isclose(got, right / 2, rel_tol=1e-4), "without the factor 1/2: it is a sum of two means"
    assert math.isclose(got, right, rel_tol=1e-5), f"the loss itself is right as it is: {right:.4f}, not {got}"
    learnt = D.weight.grad
    assert not torch.allclose(learnt, from_real), "the detective has to learn from the fakes, too"
    assert torch.allclose(learnt, from_real + from_fake), "the detective has to learn from all of the loss, as it is"
    assert all(weight.requires_grad for weight in G.parameters()), "do not freeze the forger: it learns in its own turn"


check_mended(mended)


# %% [markdown]
# ## 04.7 · challenge · 60 min · ●●●●● · Cover the ring
#
# *Chapter 04: [5 · What is bought](../chapters/04_gan.ipynb#5-·-What-is-bought)*
#
# Write `recipe()`: a dictionary with `turns`, `momentum` and `gamma` for the chapter's `compete`, such that its six games
# cover the ring sooner or with better forgeries than "no momentum". The score is the share of good forgeries, with all
# heaps covered; hold it against the chapter's table, and against the plain circle of section 4. The check asks only for
# what any recipe has to keep.

# %% nbgrader={"grade": false, "grade_id": "04-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def recipe():
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "04-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_recipe(recipe):
    got = course.attempt(recipe)
    assert isinstance(got, dict) and set(got) == {"turns", "momentum", "gamma"}, "a dictionary with the three keys"
    for name, value in got.items():
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        assert number, f"{name} is one number, not {value!r}"
    whole = isinstance(got["turns"], (int, np.integer))
    assert whole and 1 <= got["turns"] <= 5, "one to five whole turns: more is unfair to the clock"
    assert 0 <= got["momentum"] < 1, "momentum lies from 0 to below 1"
    assert math.isfinite(got["gamma"]), f"gamma has to be finite, not {got['gamma']}"
    assert got["gamma"] >= 0, "a negative penalty would be a reward for steepness"


check_recipe(recipe)
