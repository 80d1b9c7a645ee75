# %% [markdown]
# # 05 · VAE and diffusion: exercises
#
# Run the first cell, then take the exercises in any order. No function changes what it is given. Each check tells you
# what it expected; when it is silent, you are done.


# %%
import math

import numpy as np
import torch

from aigc import course, sample
from aigc.models import diffusion
from aigc.models.diffusion import Mix, Mixture, ddpm, straight

_ = torch.manual_seed(0)

# %% [markdown]
# ## 05.1 · verify · 15 min · ●●○○○ · The bound of a line
#
# *Chapter 05: [1 · A hidden cause](../chapters/05_diffusion.ipynb#1-·-A-hidden-cause)*
#
# In a world of single numbers, $z$ is drawn from $N(0, 1)$ and $x = w z + \sigma \varepsilon$. An encoder says that $z$ is
# normal with the mean `mu` and the *logarithm of the variance* `logvar`. Write `bound(x, mu, logvar, w, sigma)`: the ELBO
# (5.2) in nats, without dice. (The mean of $(x - w z)^2$ is $(x - w \mu)^2$ and something more.)


# %% nbgrader={"grade": false, "grade_id": "05-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bound(x, mu, logvar, w, sigma):
    ### BEGIN SOLUTION
    v = math.exp(logvar)
    drawn = -0.5 * math.log(2 * math.pi * sigma**2) - ((x - w * mu) ** 2 + w**2 * v) / (2 * sigma**2)
    return drawn - 0.5 * (mu**2 + v - 1 - logvar)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "05-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_bound(bound):
    x, mu, logvar, w, sigma = 1.3, 0.4, -1.1, 0.8, 0.6
    got = course.numbers(course.attempt(bound, x, mu, logvar, w, sigma), "one number, in nats", ()).item()
    v = math.exp(logvar)
    drawn = -0.5 * math.log(2 * math.pi * sigma**2) - (x - w * mu) ** 2 / (2 * sigma**2)
    blur, kl = w**2 * v / (2 * sigma**2), 0.5 * (mu**2 + v - 1 - logvar)
    right = drawn - blur - kl
    assert not math.isclose(got, drawn - blur + kl), "the KL has the other sign: what is said in z costs"
    assert not math.isclose(got, drawn - blur - 2 * kl), "the KL of two normals has a factor 1/2 in front of all of it"
    assert not math.isclose(got, drawn - kl), "z is not sure: its variance makes the mean of (x - w z)^2 larger"
    assert not math.isclose(got, -right), "this is the loss, minus the bound"
    assert not math.isclose(got, right / math.log(2)), "in nats: natural logarithms"
    assert not math.isclose(got, drawn - blur), "the KL to the prior is missing"
    v2 = math.exp(2 * logvar)
    squared = drawn - w**2 * v2 / (2 * sigma**2) - 0.5 * (mu**2 + v2 - 1 - 2 * logvar)
    assert not math.isclose(got, squared), "logvar is the logarithm of the variance, not of the deviation"
    bare = -((x - w * mu) ** 2 + w**2 * v) / 2 - kl
    forgotten = bare, bare - 0.5 * math.log(2 * math.pi)
    message = "the decoder has a spread: divide by sigma^2, and take its logarithm"
    assert not any(math.isclose(got, wrong) for wrong in forgotten), message
    assert not math.isclose(got, right + 0.5 * math.log(2 * math.pi * sigma**2)), (
        "a density has a constant in front: log(2 pi sigma^2) / 2; without it the evidence is no density"
    )
    assert math.isclose(got, right, rel_tol=1e-6), f"expected {right:.4f} nats, got {got:.4f}"
    for x, mu, logvar, w, sigma in ((-2.0, 0.3, 0.5, 1.7, 0.9), (0.5, -1.0, -3.0, 0.2, 2.5), (4.0, 1.0, 0.0, 3.0, 0.4)):
        evidence = -0.5 * math.log(2 * math.pi * (w**2 + sigma**2)) - x**2 / (2 * (w**2 + sigma**2))
        middle, spread = w * x / (w**2 + sigma**2), sigma**2 / (w**2 + sigma**2)
        got = float(course.attempt(bound, x, middle, math.log(spread), w, sigma))
        assert math.isclose(got, evidence, rel_tol=1e-6), f"at the posterior the bound is the evidence: {evidence:.4f}"
        v = math.exp(logvar)
        gap = 0.5 * (((mu - middle) ** 2 + v) / spread - 1 - math.log(v / spread))
        got = float(course.attempt(bound, x, mu, logvar, w, sigma))
        assert math.isclose(evidence - got, gap, rel_tol=1e-6), f"below the evidence by the KL, {gap:.4f} nats"


check_bound(bound)


### BEGIN HIDDEN TESTS
def _bound(x, mu, logvar, w, sigma, v=None, scale=1.0, blur=1.0, kl=1.0, constant=1.0):
    v = math.exp(logvar) if v is None else v(logvar)
    drawn = -0.5 * constant * math.log(2 * math.pi * sigma**2) - (x - w * mu) ** 2 / (2 * sigma**2)
    return scale * (drawn - blur * w**2 * v / (2 * sigma**2) - kl * 0.5 * (mu**2 + v - 1 - math.log(v)))


MISCONCEPTIONS = {
    "KL sign": (lambda *a: _bound(*a, kl=-1.0), "other sign"),
    "no half": (lambda *a: _bound(*a, kl=2.0), "factor 1/2"),
    "z is sure": (lambda *a: _bound(*a, blur=0.0), "z is not sure"),
    "loss": (lambda *a: _bound(*a, scale=-1.0), "minus the bound"),
    "bits": (lambda *a: _bound(*a, scale=1 / math.log(2)), "in nats"),
    "no KL": (lambda *a: _bound(*a, kl=0.0), "KL to the prior"),
    "deviation": (lambda *a: _bound(*a, v=lambda logvar: math.exp(2 * logvar)), "not of the deviation"),
    "no decoder's variance": (
        lambda x, mu, logvar, w, sigma: _bound(x, mu, logvar, w, 1.0),
        "the decoder has a spread",
    ),
    "no constant": (lambda *a: _bound(*a, constant=0.0), "a constant in front"),
    "all of them": (lambda x, *a: [x], "the shape"),
    "nothing": (lambda *a: None, "nothing came back"),
    "always": (lambda *a: _bound(1.3, 0.4, -1.1, 0.8, 0.6), "at the posterior"),
}
ALTERNATIVES = {
    "NumPy": lambda *a: np.float64(_bound(*a)),
    "evidence less KL": lambda x, mu, logvar, w, s: (
        -0.5 * math.log(2 * math.pi * (w * w + s * s))
        - x * x / (2 * (w * w + s * s))
        - 0.5
        * (
            ((mu - w * x / (w * w + s * s)) ** 2 + math.exp(logvar)) * (w * w + s * s) / (s * s)
            - 1
            - logvar
            + math.log(s * s / (w * w + s * s))
        )
    ),
}
EQUIVALENT = {
    "drawn = -0.5 * math.log(2 * math.pi * sigma ** 2) - ((w * mu - x) ** 2 + w ** 2 * v) / (2 * sigma ** 2)": "a square "
    "has no sign",
}
### END HIDDEN TESTS


# %% [markdown]
# ## 05.2 · verify · 15 min · ●●○○○ · What it was
#
# *Chapter 05: [3 · Noise as a teacher](../chapters/05_diffusion.ipynb#3-·-Noise-as-a-teacher)*
#
# In the letters of Ho et al., $x_t = \sqrt{\bar\alpha}\, x_0 + \sqrt{1 - \bar\alpha}\, \varepsilon$. Somebody gives you
# the *score* of $x_t$, its slope of $\log p$. Write `what_was(xt, score, alpha_bar)`: what is believed of $x_0$ and of
# $\varepsilon$, by (5.8) and (5.6). `xt` and `score` are arrays, `alpha_bar` is a number between 0 and 1. Return both.


# %% nbgrader={"grade": false, "grade_id": "05-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def what_was(xt, score, alpha_bar):
    ### BEGIN SOLUTION
    eps = -np.sqrt(1 - alpha_bar) * np.asarray(score)
    return (np.asarray(xt) - np.sqrt(1 - alpha_bar) * eps) / np.sqrt(alpha_bar), eps
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "05-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_what_was(what_was):
    x0, eps, bar = np.array([1.0, -2.0, 0.5]), np.array([0.3, 1.2, -0.7]), 0.36
    xt, score = 0.6 * x0 + 0.8 * eps, -eps / 0.8
    got = course.attempt(what_was, xt, score, bar)
    assert isinstance(got, (tuple, list)) and len(got) == 2, "return two things: x0, and the noise"
    clean, noise = (course.numbers(part, "an array as long as xt", (3,)) for part in got)
    assert not np.allclose(noise, -eps), "the score points uphill, against the noise: eps = -b * score"
    assert not np.allclose(noise, 0.64 * eps / 0.8), "the noise is b times the score, with b = sqrt(1 - alpha_bar)"
    assert not np.allclose(noise, eps / 0.8), "score and noise differ by a factor b"
    assert np.allclose(noise, eps), f"the noise was {eps}, not {noise}"
    assert not np.allclose(clean, (xt - 0.64 * score) / 0.6), (
        "uphill is where it came from: x_t *plus* b^2 times the score"
    )
    assert not np.allclose(clean, (xt + 0.8 * score) / 0.6), "b^2 times the score, and b^2 = 1 - alpha_bar"
    assert not np.allclose(clean, 0.6 * x0), "x0 was shrunk by a = sqrt(alpha_bar): divide by it"
    assert not np.allclose(clean, 0.6 * x0 / 0.36), "alpha_bar is a^2: divide by its root"
    assert np.allclose(clean, x0), f"it was {x0}, not {clean}"
    clean, noise = course.attempt(what_was, np.array([[0.5], [2.0]]), np.array([[0.0], [-1.0]]), 0.81)
    assert np.allclose(clean, [[0.5 / 0.9], [1.81 / 0.9]]) and np.allclose(noise, [[0], [math.sqrt(0.19)]]), (
        "another alpha_bar, 0.81, and another shape: here it was 0.556 and 2.011"
    )


check_what_was(what_was)


### BEGIN HIDDEN TESTS
def _was(xt, score, bar, a=0.5, b=0.5, sign=-1.0, tweedie=None):
    eps = sign * (1 - bar) ** b * score
    return (xt + (tweedie if tweedie is not None else 1 - bar) * score) / bar**a, eps


MISCONCEPTIONS = {
    "uphill": (lambda *x: _was(*x, sign=1.0), "against the noise"),
    "variance": (lambda *x: _was(*x, b=1.0), "with b = sqrt"),
    "no factor": (lambda *x: _was(*x, b=0.0), "differ by a factor"),
    "score's sign": (lambda xt, s, bar: _was(xt, s, bar, tweedie=bar - 1), "x_t *plus*"),
    "deviation": (lambda xt, s, bar: _was(xt, s, bar, tweedie=(1 - bar) ** 0.5), "b^2 = 1 - alpha_bar"),
    "not divided": (lambda *x: _was(*x, a=0.0), "divide by it"),
    "no root": (lambda *x: _was(*x, a=1.0), "by its root"),
    "only x0": (lambda *x: _was(*x)[0], "return two things"),
    "exchanged": (lambda *x: _was(*x)[::-1], "the noise was"),
    "one alpha_bar": (lambda xt, s, bar: _was(xt, s, 0.36), "another alpha_bar"),
    "nothing": (lambda *x: None, "nothing came back"),
}
ALTERNATIVES = {
    "torch": lambda *x: tuple(map(torch.as_tensor, _was(*x))),
    "lists": lambda *x: [part.tolist() for part in _was(*x)],
}
### END HIDDEN TESTS


# %% [markdown]
# ## 05.3 · modify · 25 min · ●●●○○ · Another reading, another weight
#
# *Chapter 05: [4 · One thing in two coordinates](../chapters/05_diffusion.ipynb#4-·-One-thing-in-two-coordinates)*
#
# Equation (5.11) has two weights, of two paths. Make it one rule for all: `weight(path, reading, t)`, the factor in front
# of the squared error of $x_0$ when the loss is paid in this reading: "clean", "noise", "score" or "velocity". `path(t)`
# gives the numbers `a`, `b` and their slopes `da`, `db`, as `straight` and `ddpm` do; `t` is a tensor of times. Ask how far
# each reading moves when $x_0$ moves by 1 while $x_t$ stays where it is, so that the noise has to move too. Refuse another
# reading with a ValueError.


# %% nbgrader={"grade": false, "grade_id": "05-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weight(path, reading, t):
    ### BEGIN SOLUTION
    a, b, da, db = path(t)
    noise = -a / b  # x_t stays where it is, so more x0 is less noise
    moved = {"clean": a / a, "noise": noise, "score": -noise / b, "velocity": da + db * noise}
    if reading not in moved:
        raise ValueError(f"reading is one of {list(moved)}, not {reading!r}")
    return moved[reading].square()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "05-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_weight(weight):
    turning = lambda t: Mix((1.5 * t).cos(), (1.5 * t).sin(), -1.5 * (1.5 * t).sin(), 1.5 * (1.5 * t).cos())
    t = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    ask = lambda path, name: course.numbers(course.attempt(weight, path, name, t), "one weight for each time", (3,))
    a, b, da, db = (part.numpy() for part in turning(t))
    assert np.allclose(ask(turning, "clean"), 1), "an error of 1 in x0 is an error of 1 in x0"
    got = ask(turning, "noise")
    assert not np.allclose(got, a / b), "the loss is a *square*, and so is its weight"
    assert not np.allclose(got, (b / a) ** 2), "turned over: near pure noise (b near 1) an error in x0 hardly shows"
    assert not np.allclose(got, 1 / b**2), "x0 enters x_t with the factor a"
    assert np.allclose(got, (a / b) ** 2), f"noise: expected {(a / b) ** 2}, got {got}"
    got = ask(turning, "score")
    assert not np.allclose(got, (a / b) ** 2), "score is not noise: between them lies a factor b"
    assert not np.allclose(got, a**2), "the score is the noise *divided* by b"
    assert np.allclose(got, (a / b**2) ** 2), f"score: expected {(a / b**2) ** 2}, got {got}"
    got = ask(turning, "velocity")
    assert not np.allclose(got, da**2), "when x0 moves and x_t does not, the noise moves too: it is in the velocity"
    assert not np.allclose(got, (da + db * a / b) ** 2), "more x0 is *less* noise: mind the sign"
    assert np.allclose(got, (da - db * a / b) ** 2), f"velocity: expected {(da - db * a / b) ** 2}, got {got}"
    line = t.numpy()
    for name, right in (("noise", ((1 - line) / line) ** 2), ("velocity", line**-2.0)):
        assert np.allclose(ask(straight, name), right), f"{name} on the straight path, as in (5.11): {right}"
    try:
        weight(straight, "sharpness", t)
    except ValueError:
        pass
    else:
        raise AssertionError("refuse another reading with a ValueError")


check_weight(weight)


### BEGIN HIDDEN TESTS
def _weight(path, reading, t, power=2, noise=None, score=None, velocity=None):
    a, b, da, db = path(t)
    n = a / b if noise is None else noise(a, b)
    moved = {
        "clean": torch.ones_like(a),
        "noise": n,
        "score": n / b if score is None else score(a, b),
        "velocity": da - db * n if velocity is None else velocity(a, b, da, db),
    }
    if reading not in moved:
        raise ValueError(reading)
    return moved[reading] ** power


MISCONCEPTIONS = {
    "not squared": (lambda *x: _weight(*x, power=1), "is a *square*"),
    "turned over": (lambda *x: _weight(*x, noise=lambda a, b: b / a), "turned over"),
    "without a": (lambda *x: _weight(*x, noise=lambda a, b: 1 / b), "with the factor a"),
    "score is noise": (lambda *x: _weight(*x, score=lambda a, b: a / b), "score is not noise"),
    "times b": (lambda *x: _weight(*x, score=lambda a, b: a), "*divided* by b"),
    "noise stays": (lambda *x: _weight(*x, velocity=lambda a, b, da, db: da), "the noise moves too"),
    "sign": (lambda *x: _weight(*x, velocity=lambda a, b, da, db: da + db * a / b), "mind the sign"),
    "takes all": (lambda p, r, t: _weight(p, r if r != "sharpness" else "clean", t), "refuse another reading"),
    "a mean": (lambda *x: _weight(*x).mean(), "the shape"),
    "nothing": (lambda *x: None, "nothing came back"),
    "clean by a": (lambda p, r, t: p(t).a if r == "clean" else _weight(p, r, t), "an error of 1 in x0"),
    "one path": (lambda p, r, t: _weight(straight if r == "noise" else p, r, t), "noise: expected"),
}


def _by_moving(path, reading, t):
    """Ask diffusion.readings itself."""
    if reading not in diffusion.Readings._fields:
        raise ValueError(reading)
    x = torch.zeros(len(t), 1).to(t)
    ends = [getattr(diffusion.readings(path, x, t, clean=x + move), reading) for move in (0.0, 1.0)]
    return (ends[1] - ends[0])[:, 0] ** 2


ALTERNATIVES = {"by moving": _by_moving}
EQUIVALENT = {
    "moved = {'clean': a / a, 'noise': noise, 'score': noise / b, 'velocity': da + db * noise}": "it is squared",
}
### END HIDDEN TESTS

# %% [markdown]
# What does each of the chapter's four nets get paid for, nearly at pure noise?

# %%
late = torch.tensor([0.76])  # on DDPM's clock
a, b, *_ = ddpm(late)
for path, time in ((ddpm, late), (straight, b / (a + b))):
    paid = {reading: weight(path, reading, time).item() for reading in ("noise", "velocity")}
    print(f"{path.__name__:9}", ", ".join(f"{reading} {amount:.4f}" for reading, amount in paid.items()))

# %% [markdown]
# For the noise next to nothing, on both paths; for the velocity a sixth on DDPM's and more than one on the line. Now look
# at the right end of the chapter's figure: who is paid next to nothing there errs most. Of the two that learnt the noise
# the weights are equal. What differs are the clocks: how many of the examples were nearly pure noise.

# %% [markdown]
# ## 05.4 · investigate · 25 min · ●●●○○ · Does fresh noise forgive?
#
# *Chapter 05: [5 · The way back](../chapters/05_diffusion.ipynb#5-·-The-way-back)*
#
# A sampler that is on its way at time `t` is pushed aside by 1, and from then on does everything right. How much of the
# push is left at the end? Let the data be $N(0, 1)$; on the straight path its exact answer is `best`, below. Write
# `left(t, eta)`: start two samplers at `t`, one at 0 and one at 1, go back with `sample.ddim(best, start, times, straight,
# eta, generator)` over 400 equal steps, both with the same dice, and return the distance of the two ends. (`times` is the
# list of the times, `start` a tensor (1, 1).)
#
# Predict, for a push at $t = 0.9$: how much is left with `eta = 0`, and with `eta = 1`? And for a push at 0.1?

# %% tags=["prediction"]
guess_05_4 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "05-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best(x, t):
    """E[x0 | x_t] for data from N(0, 1) on the straight path. x: (B, 1); t: (B,)."""
    return ((1 - t) / ((1 - t) ** 2 + t**2))[:, None] * x


def left(t, eta):
    ### BEGIN SOLUTION
    times, ends = torch.linspace(t, 0, 401).tolist(), []
    for push in (0.0, 1.0):
        start = torch.full((1, 1), push, dtype=torch.float64)
        ends.append(sample.ddim(best, start, times, straight, eta, torch.Generator().manual_seed(0)).item())
    return abs(ends[1] - ends[0])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "05-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_left(left):
    number = lambda *a: course.numbers(
        course.attempt(left, *a), "one number: how far apart the two ends are", ()
    ).item()
    got = number(0.9, 0.0)
    assert got >= 0, "a distance: without a sign"
    assert not math.isclose(got, 0, abs_tol=1e-6), "both samplers began at the same place: push one of them"
    fixed = 1 / math.sqrt(0.1**2 + 0.9**2)
    assert not math.isclose(got, fixed / 2, rel_tol=0.02), "a push by 1, from 0 to 1"
    assert not math.isclose(got, 1.0, rel_tol=0.01), "start at t, not at 1: times from t down to 0"
    assert math.isclose(got, fixed, rel_tol=0.02), f"without fresh noise about {fixed:.2f} is left, not {got:.2f}"
    got = number(0.9, 1.0)
    assert not math.isclose(got, fixed, rel_tol=0.02), "eta is not used: hand it to sample.ddim"
    forgiven = 0.1 / (0.1**2 + 0.9**2)
    assert math.isclose(got, forgiven, rel_tol=0.1), (
        f"with fresh noise about {forgiven:.2f} is left, not {got:.2f}; do both use the same dice, and 400 steps?"
    )
    assert math.isclose(number(0.5, 1.0), 1.0, rel_tol=0.02), "pushed at 0.5 with fresh noise, all of it is left: 1"
    assert math.isclose(number(0.5, 0.0), math.sqrt(2), rel_tol=0.02), "pushed at 0.5 without, more than all: 1.41"
    between = number(0.9, 0.5)
    assert not math.isclose(between, 0.96, abs_tol=0.02), "eta is squared already, inside of sample.ddim"
    assert math.isclose(between, 0.64, rel_tol=0.05), (
        f"with eta = 0.5, half the deviation, 0.64 is left, not {between:.2f}"
    )


check_left(left)


### BEGIN HIDDEN TESTS
def _left(t, eta, seeds=(0, 0), push=1.0, start=None, steps=400, signed=False):
    times, ends = torch.linspace(t if start is None else start, 0, steps + 1).tolist(), []
    for seed, where in zip(seeds, (0.0, push)):
        begin = torch.full((1, 1), where, dtype=torch.float64)
        ends.append(sample.ddim(best, begin, times, straight, eta, torch.Generator().manual_seed(seed)).item())
    return ends[0] - ends[1] if signed else abs(ends[1] - ends[0])


MISCONCEPTIONS = {
    "signed": (lambda t, eta: _left(t, eta, signed=True), "without a sign"),
    "no push": (lambda t, eta: _left(t, eta, push=0.0), "push one of them"),
    "half a push": (lambda t, eta: _left(t, eta, push=0.5), "a push by 1"),
    "from 1": (lambda t, eta: _left(t, eta, start=1.0), "start at t"),
    "no eta": (lambda t, eta: _left(t, 0.0), "eta is not used"),
    "always fresh": (lambda t, eta: _left(t, 1.0), "without fresh noise"),
    "other dice": (lambda t, eta: _left(t, eta, seeds=(0, 1)), "the same dice"),
    "five steps": (lambda t, eta: _left(t, eta, steps=5), "without fresh noise"),
    "both ends": (lambda t, eta: [0.0, _left(t, eta)], "the shape"),
    "nothing": (lambda t, eta: None, "nothing came back"),
    "all or nothing": (lambda t, eta: _left(t, float(eta > 0)), "half the deviation"),
    "eta squared": (lambda t, eta: _left(t, eta**2), "squared already"),
    "one time": (lambda t, eta: _left(0.9, eta), "pushed at 0.5"),
}
ALTERNATIVES = {
    "torch": lambda t, eta: torch.tensor(_left(t, eta)),
    "push to the other side": lambda t, eta: _left(t, eta, push=-1.0),
}
EQUIVALENT = {
    "times, ends = (torch.linspace(t, 0, 402).tolist(), [])": "401 steps instead of 400",
    "times, ends = (torch.linspace(t, 0, 400).tolist(), [])": "399 steps instead of 400",
    "ends.append(sample.ddim(best, start, times, straight, eta, torch.Generator().manual_seed(1)).item())": "other dice, "
    "the same for both",
    "ends.append(sample.ddim(best, start, times, straight, eta, torch.Generator().manual_seed(-1)).item())": "other "
    "dice, the same for both",
    "return abs(ends[0] - ends[1])": "a distance has no direction",
}
### END HIDDEN TESTS

# %%
print("you said:", guess_05_4)
for moment in (0.9, 0.5, 0.1):
    print(f"pushed at {moment}: {left(moment, 0.0):.2f} left without fresh noise, {left(moment, 1.0):.2f} with")

# %% [markdown]
# A push far from the data is forgiven nearly to the end by fresh noise, and grows without it. One near the data is not
# forgiven by anybody. So noise does correct old mistakes. But a net makes a new one at each step, and with fresh noise
# the score counts twice as much in each: which of the two wins depends on where the net errs.
#
# Where do the numbers come from? Without fresh noise a way keeps its place in the crowd: distances at $t$ are divided by
# the deviation there, $\sqrt{(1 - t)^2 + t^2}$. With it, only what $x_t$ says of $x_0$ is left: the factor in `best`.

# %% [markdown]
# ## 05.5 · build · 45 min · ●●●●○ · The way back with fresh noise
#
# *Chapter 05: [5 · The way back](../chapters/05_diffusion.ipynb#5-·-The-way-back)*
#
# Build ancestral sampling from its chain. First `between(now, then)`. Each is a pair `(a, b)` of (5.6), `then` nearer to
# the data. If somebody knew both $x_t$ and $x_0$, the earlier $x_s$ would be normal: `u` times $x_t$ plus `v` times $x_0$,
# with a deviation `sigma`, the $\kappa$ of (5.13). Return `u`, `v` and `sigma`. In the chain $x_t = r x_s$ plus noise of
# variance $b_t^2 - r^2 b_s^2$, where $r = a_t / a_s$, and Bayes' formula for two normals gives $u = r\, b_s^2 / b_t^2$. Find
# `v` and `sigma` from two conditions: $x_s$ contains $a_s$ of $x_0$, and its noise, old and new, has the deviation $b_s$.
# Refuse with a ValueError a `then` that is not nearer to the data: its $b/a$ has to be smaller.


# %% nbgrader={"grade": false, "grade_id": "05-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def between(now, then):
    ### BEGIN SOLUTION
    (a_t, b_t), (a_s, b_s) = now, then
    if b_s * a_t >= b_t * a_s:
        raise ValueError(f"{then} is not nearer to the data than {now}")
    r = a_t / a_s
    u = r * b_s**2 / b_t**2
    v = a_s - u * a_t
    variance = b_s**2 - (u * b_t) ** 2
    return u, v, math.sqrt(variance)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "05-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_between(between):
    three = "three numbers: the parts of x_t and of x0, and the deviation"
    ask = lambda *a: course.numbers(course.attempt(between, *a), three, (3,))
    u, v, sigma = ask((0.6, 0.8), (0.8, 0.6))
    assert not math.isclose(u, 0.75 * 0.6 / 0.8), "b_s^2 / b_t^2: the squares, as variances are weighed"
    assert not math.isclose(u, 4 / 3 * 0.36 / 0.64), "r is a_t / a_s, below 1: each step shrinks"
    right = 0.75 * 0.36 / 0.64
    assert math.isclose(u, right), f"u = r b_s^2 / b_t^2 = {right:.4f}, not {u}"
    assert not math.isclose(v, 0.8), "x_t holds some x0 already: u a_t of it"
    assert not math.isclose(v, 1 - u), "u and v do not sum to one: x_s holds a_s of x0"
    assert math.isclose(v, 0.8 - right * 0.6), f"v = a_s - u a_t = {0.8 - right * 0.6:.4f}, not {v}"
    spread = 0.36 - (right * 0.8) ** 2
    assert not math.isclose(sigma, 0.6), "x_t brings some noise already: u b_t of it"
    assert not math.isclose(sigma, spread), "this is the variance: its root is the deviation"
    assert math.isclose(sigma, math.sqrt(spread)), f"sigma = {math.sqrt(spread):.4f}, not {sigma}"
    for now, then in (((0.2, 0.8), (0.7, 0.3)), ((0.5, 2.0), (0.9, 1.5))):
        u, v, sigma = ask(now, then)
        assert math.isclose(u * now[0] + v, then[0]) and math.isclose((u * now[1]) ** 2 + sigma**2, then[1] ** 2), (
            f"from {now} to {then}: x_s has to hold a_s of x0, and noise of deviation b_s"
        )
        assert math.isclose(u, now[0] * then[1] ** 2 / (then[0] * now[1] ** 2)), f"from {now} to {then}, u is wrong"
    u, v, sigma = ask((0.3, 0.7), (1.0, 0.0))
    assert (u, v, sigma) == (0, 1, 0), "at the data nothing is left of x_t, and nothing is drawn"
    for then in ((0.6, 0.8), (0.5, 0.9)):
        try:
            between((0.6, 0.8), then)
        except ValueError:
            continue
        raise AssertionError(f"refuse {then} after (0.6, 0.8) with a ValueError: it is not nearer to the data")


check_between(between)


### BEGIN HIDDEN TESTS
def _between(now, then, u=None, v=None, sigma=None, refuse=True):
    (a, b), (c, d) = now, then
    if refuse and d * a >= b * c:
        raise ValueError("not nearer")
    u = a / c * d * d / (b * b) if u is None else u(a, b, c, d)
    v = c - u * a if v is None else v(a, b, c, d, u)
    return u, v, math.sqrt(max(0, d * d - (u * b) ** 2)) if sigma is None else sigma(b, d, u)


MISCONCEPTIONS = {
    "deviations": (lambda *x: _between(*x, u=lambda a, b, c, d: a / c * d / b), "the squares"),
    "r turned over": (lambda *x: _between(*x, u=lambda a, b, c, d: c / a * d * d / (b * b)), "below 1"),
    "all x0": (lambda *x: _between(*x, v=lambda a, b, c, d, u: c), "some x0 already"),
    "a mean": (lambda *x: _between(*x, v=lambda a, b, c, d, u: 1 - u), "do not sum to one"),
    "all noise": (lambda *x: _between(*x, sigma=lambda b, d, u: d), "some noise already"),
    "variance": (lambda *x: _between(*x, sigma=lambda b, d, u: d * d - (u * b) ** 2), "this is the variance"),
    "takes all": (lambda *x: _between(*x, refuse=False), "not nearer to the data"),
    "two numbers": (lambda *x: _between(*x)[:2], "the shape"),
    "always": (lambda now, then: _between((0.6, 0.8), (0.8, 0.6)), "from (0.2, 0.8)"),
    "nothing": (lambda *x: None, "nothing came back"),
    "noise at the end": (
        lambda now, then: _between(now, then) if then[1] else (0.0, 1.0, 0.1),
        "nothing is drawn",
    ),
}
ALTERNATIVES = {
    "array": lambda *x: np.array(_between(*x)),
    "torch": lambda *x: torch.tensor(_between(*x), dtype=torch.float64),
}
### END HIDDEN TESTS


# %% [markdown]
# Then `way_back(clean, x, times, path, generator)`: from `x` (B, d) at `times[0]` down to `times[-1]`, by drawing each
# $x_s$ from what `between` says, with `clean(x, t)`, t (B,), for the $x_0$ that nobody knows. Nothing is drawn where
# `sigma` is 0. Refuse with a ValueError fewer than two times, and times that do not fall.


# %% nbgrader={"grade": false, "grade_id": "05-5-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def way_back(clean, x, times, path, generator):
    ### BEGIN SOLUTION
    if len(times) < 2:
        raise ValueError("give two times at least")
    pairs = list(zip(times, times[1:]))
    if any(then >= now for now, then in pairs):
        raise ValueError(f"times fall from the noise to the data: {times}")
    for now, then in pairs:
        mixes = [path(torch.tensor(time, dtype=x.dtype)) for time in (now, then)]
        u, v, sigma = between(*[(mix.a.item(), mix.b.item()) for mix in mixes])
        guess = clean(x, torch.full((len(x),), now, dtype=x.dtype))
        x = u * x + v * guess
        if sigma:
            x = x + sigma * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "05-5-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_way_back(way_back):
    dice = lambda seed: torch.Generator().manual_seed(seed)
    start, asked = torch.randn(20_000, 1, generator=dice(0)).double(), []
    known = torch.full_like(start, 3.0)

    def oracle(x, t):
        asked.append((tuple(t.shape), float(t.flatten()[0])))
        return known

    end = course.attempt(way_back, oracle, start, [1.0, 0.6, 0.2, 0.0], straight, dice(1))
    assert torch.is_tensor(end) and end.shape == start.shape, "return the points, in the shape in which they came"
    assert [shape for shape, _ in asked] == [(20_000,)] * len(asked), (
        "clean is asked with a time for each point, t (B,)"
    )
    hours = [hour for _, hour in asked]
    assert len(hours) == 3, f"one question a step: three, not {len(hours)}"
    assert not np.allclose(hours, [0.6, 0.2, 0.0]), "ask at the time where the points *are*, not where they go"
    assert not np.allclose(hours, [0.0, 0.2, 0.6]), "time the wrong way round: from 1, the noise, down to 0, the data"
    assert np.allclose(hours, [1.0, 0.6, 0.2]), f"ask at 1.0, 0.6 and 0.2, not at {hours}"
    assert torch.allclose(end, known), "nothing is drawn in the last step: at t = 0 there is no noise"
    for path in (straight, ddpm):
        asked.clear()
        x = 3 * path(torch.tensor(0.8)).a + path(torch.tensor(0.8)).b * start
        end = course.attempt(way_back, oracle, x, [0.8, 0.5], path, dice(2))
        a, b, *_ = path(torch.tensor(0.5))
        assert abs(end.mean() - 3 * a) < 0.03, f"at 0.5 their mean is {3 * a:.2f}, not {end.mean():.2f}"
        assert abs(end.std() / b - 1) < 0.03, f"at 0.5 their deviation is {b:.2f}, not {end.std():.2f}"
        together = float(torch.corrcoef(torch.stack([x[:, 0], end[:, 0]]))[0, 1])
        r = path(torch.tensor(0.8)).a / a * b / path(torch.tensor(0.8)).b
        assert abs(together - r) < 0.03, (
            f"fresh noise, for each point: x_t and x_s correlate by {r:.2f}, not {together:.2f}"
        )
    for times in ([0.5], [0.2, 0.5], [0.5, 0.5]):
        try:
            way_back(oracle, start, times, straight, dice(3))
        except ValueError:
            continue
        raise AssertionError(f"refuse the times {times} with a ValueError")


check_way_back(way_back)


### BEGIN HIDDEN TESTS
def _back(clean, x, times, path, generator, late=False, last=0.0, fresh=1.0, checked=True, turned=False, shared=False):
    if checked and (len(times) < 2 or any(b >= a for a, b in zip(times, times[1:]))):
        raise ValueError(times)
    times = times[::-1] if turned else times
    for now, then in zip(times, times[1:]):
        (a, b, *_), (c, d, *_) = (path(torch.tensor(float(time)).double()) for time in (now, then))
        u = a / c * d * d / (b * b) if b > 0 else torch.tensor(0.0)
        sigma = fresh * (d * d - (u * b) ** 2).clamp(min=0).sqrt() + (last if then == 0 else 0)
        guess = clean(x, torch.full((len(x),), then if late else now).double())
        noise = torch.randn(1, 1, generator=generator) if shared else torch.randn(x.shape, generator=generator)
        x = u * x + (c - u * a) * guess + sigma * noise.double()
    return x


MISCONCEPTIONS = {
    "asks late": (lambda *a: _back(*a, late=True), "where the points *are*"),
    "noise in the last step": (lambda *a: _back(*a, last=0.1), "nothing is drawn in the last step"),
    "no fresh noise": (lambda *a: _back(*a, fresh=0.0), "their deviation is"),
    "twice the noise": (lambda *a: _back(*a, fresh=2.0), "their deviation is"),
    "takes any times": (lambda *a: _back(*a, checked=False), "refuse the times"),
    "time turned round": (lambda *a: _back(*a, turned=True), "time the wrong way round"),
    "one noise for all": (lambda *a: _back(*a, shared=True), "at 0.5 their"),
    "a list": (lambda *a: _back(*a).tolist(), "in the shape in which they came"),
    "one step": (lambda c, x, t, p, g: _back(c, x, [t[0], t[-1]], p, g), "one question a step"),
    "nothing": (lambda *a: None, "nothing came back"),
    "one time for all": (
        lambda c, x, t, p, g: _back(lambda x, t: c(x, t[:1]), x, t, p, g),
        "a time for each point",
    ),
}
ALTERNATIVES = {
    "the library": lambda c, x, t, p, g: sample.ddim(c, x, t if len(t) > 1 else 0, p, 1.0, g),
    "again": _back,
}
EQUIVALENT = {
    "if any((then > now for now, then in pairs)):": "between refuses equal times, too",
    "if all((then >= now for now, then in pairs)):": "between refuses a single pair that rises, too",
    "x = x - sigma * torch.randn(x.shape, generator=generator, dtype=x.dtype)": "noise has no direction",
}
### END HIDDEN TESTS

# %% [markdown]
# ## 05.6 · debug · 20 min · ●●●○○ · A bound above the truth
#
# *Chapter 05: [2 · Learning through dice](../chapters/05_diffusion.ipynb#2-·-Learning-through-dice)*
#
# `too_good` estimates the bound of exercise 05.1 by many draws `eps` from $N(0, 1)$. Somebody noticed that it can lie
# *above* the evidence, by far more than its dice allow, which no bound may do. Measure it against 05.1: for which `logvar`
# is it too high, for which too low? Then write `mended`, a function of the same arguments. The function with the bug
# stands above it.


# %% nbgrader={"grade": false, "grade_id": "05-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def too_good(x, mu, logvar, w, sigma, eps):
    z = mu + math.exp(logvar) * eps
    drawn = -((x - w * z) ** 2) / (2 * sigma**2) - 0.5 * math.log(2 * math.pi * sigma**2)
    return drawn.mean() - 0.5 * (mu**2 + math.exp(logvar) - 1 - logvar)


def mended(x, mu, logvar, w, sigma, eps):
    ### BEGIN SOLUTION
    z = mu + math.exp(logvar / 2) * eps
    drawn = -((x - w * z) ** 2) / (2 * sigma**2) - 0.5 * math.log(2 * math.pi * sigma**2)
    return drawn.mean() - 0.5 * (mu**2 + math.exp(logvar) - 1 - logvar)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "05-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    eps = np.random.default_rng(0).standard_normal(200_000)
    for x, mu, logvar, w, sigma in ((1.0, 0.7, -3.0, 1.2, 0.3), (-0.5, 0.2, 1.0, 0.9, 0.8), (2.0, 1.0, 0.0, 1.0, 1.0)):
        got = course.numbers(course.attempt(mended, x, mu, logvar, w, sigma, eps), "one number, in nats", ()).item()
        v = math.exp(logvar)
        exact = -0.5 * math.log(2 * math.pi * sigma**2) - ((x - w * mu) ** 2 + w**2 * v) / (2 * sigma**2)
        kl = 0.5 * (mu**2 + v - 1 - logvar)
        away = got - (exact - kl)
        if logvar == -3:
            evidence = -0.5 * math.log(2 * math.pi * (w**2 + sigma**2)) - x**2 / (2 * (w**2 + sigma**2))
            assert abs(got - (exact - 0.5 * (mu**2 + v**2 - 1 - 2 * logvar))) > 0.02, (
                "the KL was right: logvar is the logarithm of a variance there. Look where a *deviation* is needed"
            )
            assert got < evidence, f"it still lies above the evidence, {evidence:.3f}: how far do the dice throw z?"
        assert abs(away) < 0.03, f"at logvar {logvar:g} expected {exact - kl:.3f} nats, got {got:.3f}"


check_mended(mended)


### BEGIN HIDDEN TESTS
def _mended(x, mu, logvar, w, sigma, eps, deviation=lambda logvar: math.exp(logvar / 2), kl=None):
    z = mu + deviation(logvar) * eps
    drawn = -((x - w * z) ** 2) / (2 * sigma**2) - 0.5 * math.log(2 * math.pi * sigma**2)
    return drawn.mean() - (0.5 * (mu**2 + math.exp(logvar) - 1 - logvar) if kl is None else kl(mu, logvar))


def _squared_kl(mu, logvar):
    return 0.5 * (mu**2 + math.exp(2 * logvar) - 1 - 2 * logvar)


MISCONCEPTIONS = {
    "as it was": (too_good, "above the evidence"),
    "the KL is changed": (lambda *a: _mended(*a, kl=_squared_kl), "the KL was right"),
    "no dice": (lambda *a: _mended(*a, deviation=lambda logvar: 0.0), "above the evidence"),
    "logvar itself": (lambda *a: _mended(*a, deviation=lambda logvar: logvar), "expected"),
    "squared": (lambda *a: _mended(*a, deviation=lambda logvar: math.exp(2 * logvar)), "above the evidence"),
    "no KL": (lambda *a: _mended(*a, kl=lambda mu, logvar: 0.0), "above the evidence"),
    "each draw": (lambda x, mu, logvar, w, s, eps: mu + eps, "the shape"),
    "nothing": (lambda *a: None, "nothing came back"),
}
ALTERNATIVES = {
    "root": lambda *a: _mended(*a, deviation=lambda logvar: math.sqrt(math.exp(logvar))),
    "the other side": lambda *a: _mended(*a, deviation=lambda logvar: -math.exp(logvar / 2)),
}
EQUIVALENT = {
    "z = mu - math.exp(logvar / 2) * eps": "dice are as often on one side as on the other",
    "drawn = -(w * z - x) ** 2 / (2 * sigma ** 2) - 0.5 * math.log(2 * math.pi * sigma ** 2)": "a square has no sign",
}
### END HIDDEN TESTS

# %% [markdown]
# It was too high where `logvar` is below 0, too low above, and right at 0 alone: a place where one likes to test. The
# variance was thrown as if it were a deviation, so small spreads became smaller still, and the decoder seemed too good.

# %% [markdown]
# ## 05.7 · challenge · 60 min · ●●●●● · Seven looks
#
# *Chapter 05: [5 · The way back](../chapters/05_diffusion.ipynb#5-·-The-way-back)*
#
# Heun's method with four steps looks seven times. Nobody says that the steps have to be equal. Write `looks()`: the five
# times, from 1 down to 0, at which you want to stop. The result is how far the ends are, in the mean, from where a
# thousand steps lead from the same noise: smaller is better. The cell below prints it beside that of equal steps; below
# 0.05 is good. Better than to try is to *calculate* times: from what, and does it hold for another world? The check asks
# only for what any times have to keep.


# %% nbgrader={"grade": false, "grade_id": "05-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def looks():
    ### BEGIN SOLUTION
    return [1.0, 0.6, 0.36, 0.16, 0.0]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "05-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_looks(looks):
    got = course.numbers(course.attempt(looks), "five numbers")
    assert got.shape == (5,), f"five times, for four steps: not {got.shape}"
    assert np.isfinite(got).all() and got.min() >= 0 and got.max() <= 1, "times lie from 0 to 1"
    assert got[0] == 1, "it begins with the noise, at 1"
    assert got[-1] == 0, "it ends with the data, at 0"
    assert (np.diff(got) < 0).all(), "each time below the one before"


check_looks(looks)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "the wrong way round": (lambda: [0.0, 0.2, 0.4, 0.6, 1.0], "begins with the noise"),
    "four": (lambda: [1.0, 0.5, 0.2, 0.0], "five times"),
    "beyond": (lambda: [1.0, 0.5, 0.2, -0.1, 0.0], "from 0 to 1"),
    "twice": (lambda: [1.0, 0.5, 0.5, 0.2, 0.0], "below the one before"),
    "not at the data": (lambda: [1.0, 0.5, 0.3, 0.2, 0.1], "ends with the data"),
    "words": (lambda: "early", "return numbers"),
    "nan": (lambda: [1.0, math.nan, 0.3, 0.2, 0.0], "from 0 to 1"),
    "nothing": (lambda: None, "nothing came back"),
}
ALTERNATIVES = {"array": lambda: np.linspace(1, 0, 5), "tensor": lambda: torch.linspace(1, 0, 5)}
### END HIDDEN TESTS

# %%
angle = torch.linspace(0, math.pi, 24)
arc, centre = torch.stack([angle.cos(), angle.sin()], 1), torch.tensor([0.5, 0.25])
moons = Mixture(torch.cat([arc - centre, centre - arc]), 0.08)  # as in the chapter
field = lambda x, t: diffusion.readings(straight, x, t, clean=moons.clean(x, t, straight)).velocity
noise = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
fully = sample.ode(field, noise, 1000)
for name, times in (("equal steps", 4), ("your steps", [float(time) for time in looks()])):
    print(f"{name}: {(sample.ode(field, noise, times) - fully).norm(dim=1).mean():.3f} from the end")

# %% [markdown]
# Where is a look worth most? Where the velocity turns: in the large picture, where the ways part. Where it hardly
# changes, a long step costs nothing.
