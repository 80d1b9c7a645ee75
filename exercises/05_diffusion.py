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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "05-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "05-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "05-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# What does each of the chapter's four nets get paid for, nearly at pure noise?
#
# </details>

# %% tags=["raises-exception"]
late = torch.tensor([0.76])  # on DDPM's clock
a, b, *_ = ddpm(late)
for path, time in ((ddpm, late), (straight, b / (a + b))):
    paid = {reading: weight(path, reading, time).item() for reading in ("noise", "velocity")}
    print(f"{path.__name__:9}", ", ".join(f"{reading} {amount:.4f}" for reading, amount in paid.items()))

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# For the noise next to nothing, on both paths; for the velocity a sixth on DDPM's and more than one on the line. Now look
# at the right end of the chapter's figure: who is paid next to nothing there errs most. Of the two that learnt the noise
# the weights are equal. What differs are the clocks: how many of the examples were nearly pure noise.
#
# </details>

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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "05-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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

# %% tags=["raises-exception"]
print("you said:", guess_05_4)
for moment in (0.9, 0.5, 0.1):
    print(f"pushed at {moment}: {left(moment, 0.0):.2f} left without fresh noise, {left(moment, 1.0):.2f} with")


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# A push far from the data is forgiven nearly to the end by fresh noise, and grows without it. One near the data is not
# forgiven by anybody. So noise does correct old mistakes. But a net makes a new one at each step, and with fresh noise
# the score counts twice as much in each: which of the two wins depends on where the net errs.
#
# Where do the numbers come from? Without fresh noise a way keeps its place in the crowd: distances at $t$ are divided by
# the deviation there, $\sqrt{(1 - t)^2 + t^2}$. With it, only what $x_t$ says of $x_0$ is left: the factor in `best`.
#
# </details>

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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "05-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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


# %% [markdown]
# Then `way_back(clean, x, times, path, generator)`: from `x` (B, d) at `times[0]` down to `times[-1]`, by drawing each
# $x_s$ from what `between` says, with `clean(x, t)`, t (B,), for the $x_0$ that nobody knows. Nothing is drawn where
# `sigma` is 0. Refuse with a ValueError fewer than two times, and times that do not fall.

# %% nbgrader={"grade": false, "grade_id": "05-5-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def way_back(clean, x, times, path, generator):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "05-5-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "05-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# It was too high where `logvar` is below 0, too low above, and right at 0 alone: a place where one likes to test. The
# variance was thrown as if it were a deviation, so small spreads became smaller still, and the decoder seemed too good.
#
# </details>

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
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "05-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
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

# %% tags=["raises-exception"]
angle = torch.linspace(0, math.pi, 24)
arc, centre = torch.stack([angle.cos(), angle.sin()], 1), torch.tensor([0.5, 0.25])
moons = Mixture(torch.cat([arc - centre, centre - arc]), 0.08)  # as in the chapter
field = lambda x, t: diffusion.readings(straight, x, t, clean=moons.clean(x, t, straight)).velocity
noise = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
fully = sample.ode(field, noise, 1000)
for name, times in (("equal steps", 4), ("your steps", [float(time) for time in looks()])):
    print(f"{name}: {(sample.ode(field, noise, times) - fully).norm(dim=1).mean():.3f} from the end")

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# Where is a look worth most? Where the velocity turns: in the large picture, where the ways part. Where it hardly
# changes, a long step costs nothing.
#
# </details>
