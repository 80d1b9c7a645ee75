# %% [markdown]
# # 04 · GAN theory: the forger and the detective
#
# *read 0 min · do 0 min · run 0 s*
#
# **Can a machine learn to make a thing that nobody has described to it, only from being caught?**
#
# The article that this course follows and corrects (*the article*) writes down a generator $G(z)$ and a discriminator
# $D(x)$ and says that the two "compete". It does not say who wins, and what is worse, it does not say that the answer
# to this question is *sometimes both, sometimes nobody*. In this chapter two small networks shall forge eight heaps of
# points. With the settings of every other chapter of this course, they fail: on almost every seed the forger makes one
# heap, then another, and never all eight. Then we change one thing at a time, and count.
#
# Before that we play the game where everything can be calculated: with three coins, on a line, and with two numbers.
#
# ## What you need
#
# Chapter 01: distributions, nats and bits, the KL divergence. The sigmoid, $\sigma(a) = 1/(1 + e^{-a})$; derivatives.

# %%
import copy
import math
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import logsigmoid

from aigc import course, show
from aigc.models import gan
from aigc.train import Recipe, train

device = course.start("04")
show.style()
rng = np.random.default_rng(course.seed())

# %% [markdown]
# ## What we will measure
#
# | game | what we measure | the baseline |
# |:--|:--|:--|
# | a detective against forgers who stand still | nats that a trained one falls short of the best one | a toss of a coin |
# | two numbers that play against each other | the factor by which their distance from rest grows each step | 1, a circle |
# | eight heaps, by many recipes | heaps covered, share of good forgeries, over seeds | the same recipe, one thing changed |
# | a detective with few real coins | how much more he believes those that he has seen | real ones that he has not |
#
# *Predict 1.* A detective sees one coin at a time, and half of all coins are false. Somewhere the false ones are as
# frequent as the real ones. What does the best detective say there?
#
# The whole chapter is this loop. The forger (生成器, generator) never sees a real coin. All that it learns is what the
# detective (判别器, discriminator) would have liked better.

# %%
show.diagram(
    {
        "noise z": (0, 0),
        "forger G": (1, 0, "model"),
        "detective D": (2, 0.5, "baseline"),
        "real x": (1, 1, "truth"),
        "real?": (3, 0.5),
    },
    [
        ("noise z", "forger G"),
        ("forger G", "detective D", "fakes"),
        ("detective D", "forger G", "slope"),
        ("real x", "detective D"),
        ("detective D", "real?", "D(x)"),
    ],
    alt="Noise goes to the forger, whose fakes go to the detective beside real examples; the detective says how real "
    "each is, and the slope of what it says goes back to the forger.",
)

# %% [markdown]
# ## 1 · The game
#
# *If the forger stands still, what does the best detective say?* Take three kinds of coins. The mint makes them in the
# ratio $p$ = 3 : 2 : 1, the forger in the ratio $q$ = 1 : 2 : 3. You draw a coin from a bag that holds as many false
# ones as real ones, and it is of the first kind. Of four such coins, three are real: you say 3/4. *Pencil: what do you
# say to the second kind, and to the third?*
#
# A detective says $D(x)$, how probable it is that $x$ is real, and is paid by the logarithm of what it gave to the
# truth (Goodfellow et al. 2014):
#
# $$V(D, G) = \sum_x p(x) \log D(x) + \sum_x q(x) \log\,(1 - D(x)) \tag{4.1}$$
#
# This is `worth`, below; the library's `gan.cross_entropy` is the same with a minus sign, as a mean over what was
# drawn. Each $x$ can be taken alone: where is $p \log D + q \log(1 - D)$ highest? Its derivative, $p/D - q/(1 - D)$, is
# zero at
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)} \tag{4.2}$$
#
# which is `best`, and Bayes' formula (chapter 02) for a bag that is half false. To be sure, we try every detective
# whose three answers are twentieths.


# %%
def best(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p / (p + q)  # (4.2)


def worth(p: np.ndarray, q: np.ndarray, D: np.ndarray) -> float:
    return float((p * np.log(D) + q * np.log(1 - D)).sum())  # (4.1)


p, q = np.array([3, 2, 1]) / 6, np.array([1, 2, 3]) / 6
tried = {answers: worth(p, q, np.array(answers) / 20) for answers in product(range(1, 20), repeat=3)}
winner = max(tried, key=tried.get)
print("the best of", len(tried), "detectives says", [f"{a}/20" for a in winner])
print("the formula says", best(p, q))
assert np.allclose(best(p, q), np.array(winner) / 20) and np.allclose(best(p, q), [3 / 4, 1 / 2, 1 / 4])

# %% [markdown]
# *Answer 1.* One half: there the detective knows nothing, and it does not matter how many coins lie there.
#
# What is the game worth to the best detective? Put (4.2) into (4.1), and write $m = (p + q)/2$ for what is in the bag:
#
# $$V(D^*, G) = \sum_x p \log \frac{p}{2m} + \sum_x q \log \frac{q}{2m}
# = 2\, \mathrm{JSD}(p, q) - \log 4 \tag{4.3}$$
#
# where $\mathrm{JSD}(p, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m)$ is the Jensen–Shannon
# divergence (JS 散度; Lin 1991): zero if $p = q$, $\log 2$ if they never meet. In code, `jsd`. So a forger who plays
# against a *perfect* detective makes the JSD small, and when it is done the detective tosses a coin and gets $-\log 4$.
#
# Now on a line. A real coin weighs $x \sim N(0, 1)$, in some unit; a false one $N(\mu, 1/2)$: the forger's coins are
# more alike than the mint's. We calculate sums as integrals on a fine ruler.

# %%
x = np.linspace(-12, 12, 4801)
dx = x[1] - x[0]


def bell(mean: float, std: float) -> np.ndarray:
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def kl(p: np.ndarray, q: np.ndarray) -> float:
    seen = p > 1e-300
    return float((p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-300))).sum() * dx)


def jsd(p: np.ndarray, q: np.ndarray) -> float:
    return kl(p, (p + q) / 2) / 2 + kl(q, (p + q) / 2) / 2


p, path = bell(0, 1), np.linspace(0, 4, 9)
value = [2 * jsd(p, bell(mean, 0.5)) - math.log(4) for mean in path]  # (4.3), right side
by_hand = [dx * worth(p, q, np.clip(best(p, q), 1e-12, 1 - 1e-12)) for q in (bell(m, 0.5) for m in path)]
assert np.allclose(value, by_hand, atol=1e-6) and abs(jsd(p, p)) < 1e-12
assert -math.log(4) < min(value) and max(value) < 0

# %% [markdown]
# Nine forgers stand on that path, from $\mu = 0$ to $\mu = 4$. Against each we train a detective, a net with two
# hidden layers that has never heard of (4.2). To train nine small nets one after the other would waste most of the
# time on calling functions. `Crowd` lays them side by side along one more axis; AdamW moves each number by its own
# gradient alone, so each net learns as if it were by itself. The rest of the chapter lives on this.


# %%
class Crowd(nn.Module):
    """S networks of one kind side by side: (S, B, ...) -> (S, B, ...)."""

    def __init__(self, networks: list[nn.Module]):
        super().__init__()
        self.one = copy.deepcopy(networks[0])
        for part in ("named_parameters", "named_buffers"):
            every = [dict(getattr(network, part)()) for network in networks]
            for name, tensor in getattr(self.one, part)():
                tensor.data = torch.stack([tensors[name].data for tensors in every])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = dict(self.one.named_parameters()) | dict(self.one.named_buffers())
        return torch.vmap(lambda state, x: functional_call(self.one, state, (x,)))(state, x)


config = gan.Config(shape=(1,), width=32)
detectives = Crowd([gan.Detective(config) for _ in path]).to(device)
centres = torch.tensor(path, dtype=torch.float32)[:, None, None]


def coins(many: int, g: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    real, fake = torch.randn(2, len(path), many, 1, generator=g)
    return real.to(device), (centres + 0.5 * fake).to(device)


def judge(model: nn.Module, step: int, g: torch.Generator) -> torch.Tensor:
    real, fake = coins(256, g)
    return gan.cross_entropy(model(real), model(fake))


history = train(detectives, judge, Recipe(steps=500, lr=0.01, ema=0.98, seed=course.seed()))

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    real, fake = coins(40_000, torch.Generator().manual_seed(course.seed()))
    earned = logsigmoid(detectives(real)).mean(1) + logsigmoid(-detectives(fake)).mean(1)
    grid = torch.linspace(-4, 6, 201)
    said = detectives(grid[None, :, None].expand(len(path), -1, 1).to(device)).sigmoid().cpu()
earned = earned.cpu().numpy()
fig, (left, right) = plt.subplots(1, 2)
for i, color in ((0, show.WATER), (3, show.SUNSET), (6, show.INK)):
    q = bell(path[i], 0.5)
    left.plot(grid, np.interp(grid, x, best(p + 1e-12, q + 1e-12)), "--", color=show.DUSK, lw=1)
    left.plot(grid, said[i], color=color, label=f"forger at {path[i]:.1f}")
left.set(xlabel="weight of the coin", ylabel="D(x)", ylim=(0, 1.45))
left.legend(loc="upper right", fontsize=9)
right.plot(path, value, "--", color=show.DUSK, label="2 JSD - log 4")
right.plot(path, earned, "o", color=show.SUNSET, label="trained detectives")
right.axhline(-math.log(4), color=show.SKY, lw=1)
right.set(xlabel="mean of the forger", ylabel="value V, nats")
right.legend(loc="lower right", fontsize=9)
show.figure(fig, alt="Left: trained detectives lie on the dashed formula p/(p+q). Right: what they earn lies on the dashed "
            "curve 2 JSD - log 4, which rises from near -1.39 towards 0 as the forger moves away.")

# %%
short = float(np.mean(np.array(value) - earned))
course.expect("04.short", short, baseline=float(np.mean(np.array(value) + math.log(4))))
assert abs(short) < 0.03 and (earned < np.array(value) + 0.03).all()

# %% [markdown]
# The dashed lines are formulas, the others were learnt, and the nets lie on them wherever coins fall. Nobody told them
# of Bayes; to be paid by the logarithm was enough. No detective earned more than the curve, but for the luck of 40,000
# draws, because (4.3) is a ceiling.
#
# So a GAN, on paper: *a machine that learns to measure a divergence, and a machine that makes it small.* Two words in
# this sentence are wishes. The detective has to be the best one, and the forger has to follow its slope. The next
# section looks at the slope.
#
# ## 2 · The gradient
#
# *Which way is a forger told to go, and how hard is it pushed?* The forger moves a coin $x$ along the slope of its
# loss. It can see its coin only through the score $a$, where $D = \sigma(a)$. Two losses are in use, both from the
# first paper (Goodfellow et al. 2014). To make the detective fail, or to make it believe:
#
# $$L_{\text{sat}} = \log\,(1 - \sigma(a)),\quad \frac{dL}{da} = -\sigma(a); \qquad
# L_{\text{non}} = -\log \sigma(a),\quad \frac{dL}{da} = -(1 - \sigma(a)) \tag{4.4}$$
#
# These are `gan.saturating` and `gan.non_saturating`. Both want a higher score. They differ in how hard they pull.
#
# *Predict 2.* Many texts say that the first one "saturates when the forger gets good". Look at the slope $-\sigma(a)$,
# and say where it is flat: when the detective takes the coin for false ($a \ll 0$), or when it takes it for real?

# %%
a = torch.linspace(-6, 6, 121, dtype=torch.float64, requires_grad=True)
slope = {
    loss.__name__: len(a) * torch.autograd.grad(loss(a), a)[0] for loss in (gan.saturating, gan.non_saturating)
}
sigma = a.detach().sigmoid()
assert torch.allclose(slope["saturating"], -sigma) and torch.allclose(slope["non_saturating"], sigma - 1)

mean = np.linspace(0.25, 5, 20)
pushed = {"saturating": [], "non_saturating": []}
for m in mean:  # how hard the best detective pushes a forger N(m, 1) towards 0, in nats per unit
    q, ratio = bell(m, 1), m * m / 2 - m * x  # its score, log p/q
    towards = (x - m) * q  # how q changes with its mean
    pushed["saturating"].append(dx * (towards * -np.logaddexp(0, ratio)).sum())
    pushed["non_saturating"].append(dx * (towards * np.logaddexp(0, -ratio)).sum())

# %%
fig, (left, right) = plt.subplots(1, 2)
looks = {"saturating": dict(color=show.SKY, ls="--"), "non_saturating": dict(color=show.SUNSET)}
for name, look in looks.items():
    left.plot(a.detach(), -slope[name], label=name.replace("_", "-"), **look)
    right.semilogy(mean, pushed[name], **look)
left.set(xlabel="score a (left: 'false', right: 'real')", ylabel="pull on the score")
left.legend(loc="center", fontsize=9)
right.set(xlabel="distance of the forger's mean", ylabel="pull on the mean, nats per unit")
show.figure(fig, alt="Left: the saturating loss pulls with sigma of a, flat on the left; the non-saturating one with "
            "1 - sigma, flat on the right. Right: with distance the first pull falls towards zero, the second grows.")
far = {name: pull[-1] for name, pull in pushed.items()}
print({name: round(pull, 4) for name, pull in far.items()})
assert far["saturating"] < 0.01 < 3 < far["non_saturating"]

# %% [markdown]
# *Answer 2.* Where the detective is sure that the coin is *false*: at the start, when the forger is bad. At the other
# end the saturating loss pulls with full force. The sentence has it the wrong way round, and a name helps to remember:
# what is saturated is the *detective's certainty*. At the point of rest, $D = 1/2$, both pull with exactly half.
#
# The right figure uses the best detective against a forger $N(m, 1)$. Five units away, the saturating pull is almost
# nothing, for the very reason that the detective is excellent. The other one grows with the distance. So everybody
# uses the second. What does it minimise? Not the JSD. With the best detective held still (Arjovsky & Bottou 2017,
# theorem 2.5),
#
# $$\nabla\, \mathbb{E}_q[-\log D^*] = \nabla \big(\mathrm{KL}(q \,\|\, p) - 2\, \mathrm{JSD}(p, q)\big) \tag{4.5}$$
#
# and the JSD stands there with a *minus*. We check it with `kl` and `jsd`, by moving the mean a little. Then we ask
# both objectives what they think of two forgers in a world of two heaps. One makes a single heap, perfectly. The other
# makes both, but three coins in ten fall anywhere.

# %%
h = 1e-3
target = lambda m: kl(bell(m, 1), p) - 2 * jsd(p, bell(m, 1))
for m, pull in zip(mean[::4], pushed["non_saturating"][::4]):
    assert abs((target(m + h) - target(m - h)) / (2 * h) - pull) < 1e-4  # (4.5)

two = (bell(-2, 0.4) + bell(2, 0.4)) / 2
one_heap = bell(2, 0.4)
untidy = 0.7 * two + 0.3 * (np.abs(x) < 4) / 8
wants = {}
for name, q in {"one heap, perfectly": one_heap, "both, untidily": untidy}.items():
    wants[name] = 2 * jsd(two, q), kl(q, two) - 2 * jsd(two, q)
    print(f"{name:<20} 2 JSD {wants[name][0]:.2f}   KL(q|p) - 2 JSD {wants[name][1]:.2f}")
collapsed, untidy_wants = wants.values()
assert collapsed[0] > untidy_wants[0] and collapsed[1] < untidy_wants[1]

# %% [markdown]
# The two disagree. The JSD likes the untidy forger better, because it leaves nothing out. The objective that everybody
# uses prefers the one with a single heap, by far: $\mathrm{KL}(q \,\|\, p)$ charges for every coin that falls where the
# mint makes none, and nothing for a heap that is never made. That is the price of the strong pull. It makes *mode
# collapse* (模式崩溃) cheap. But it does not explain it, as section 4 will show: to be cheap is not to be reached.
#
# ## 3 · The dance
#
# *If both follow their slope, do they come to rest?* Make the game as small as it can be. All real coins weigh 0. The
# forger's all weigh $x$. The detective is a straight line, its score for a weight $s$ is $y \cdot s$. The real ones
# score 0, the false ones $xy$, and with the plainest payment, the score itself (`gan.wasserstein`),
#
# $$\min_x \max_y \; x y \tag{4.6}$$
#
# of which `simultaneous` is one step for both. Rest is at $x = y = 0$ (Mescheder et al. 2018 call this the Dirac-GAN).
# Each step is a matrix, and the factor by which the distance grows is the modulus of its eigenvalues. *Pencil: of*
#
# $$\begin{pmatrix} x \\ y \end{pmatrix} \leftarrow
# \begin{pmatrix} 1 & -\eta \\ \eta & 1 \end{pmatrix} \begin{pmatrix} x \\ y \end{pmatrix},
# \qquad |1 \pm i\eta| = \sqrt{1 + \eta^2} \tag{4.7}$$
#
# *Predict 3.* `simultaneous` moves both with the step $\eta = 0.2$. Does the pair come to rest, go in a circle, or fly
# away? And if the detective moves first and the forger answers?


# %%
def simultaneous(x, y, lr):
    return x - lr * y, y + lr * x  # (4.7)


def alternating(x, y, lr):
    y = y + lr * x
    return x - lr * y, y  # the forger sees the new detective


def extragradient(x, y, lr):
    ahead = simultaneous(x, y, lr)  # look one step ahead, and step by what is seen there
    return x - lr * ahead[1], y + lr * ahead[0]


def with_r1(x, y, lr, gamma=1.0):
    return x - lr * y, y + lr * (x - gamma * y)  # the detective pays gamma / 2 times its squared slope


def walk(rule, steps=60, lr=0.2):
    places = [(1.0, 0.0)]
    for _ in range(steps):
        places.append(rule(*places[-1], lr))
    return np.array(places)


def rate(rule, lr=0.2):  # the columns of its matrix are what becomes of (1, 0) and (0, 1)
    matrix = np.array([rule(1.0, 0.0, lr), rule(0.0, 1.0, lr)]).T
    return np.abs(np.linalg.eigvals(matrix)).max()


# %%
rules = {rule.__name__: rule for rule in (simultaneous, alternating, extragradient, with_r1)}
paths = {name: walk(rule) for name, rule in rules.items()}
paths["averaged"] = np.cumsum(paths["alternating"], 0) / np.arange(1, 62)[:, None]
fig, axes = plt.subplots(2, 3, figsize=(7, 4.6))
side = np.linspace(-2, 2, 9)
X, Y = np.meshgrid(side, side)
for ax, (name, places) in zip(axes.flat, paths.items()):
    field = (-Y, X - Y) if name == "with_r1" else (-Y, X)
    ax.quiver(X, Y, *field, color=show.SKY, alpha=0.6, width=0.006)
    ax.plot(*places.T, ".-", color=show.SUNSET, ms=3, lw=1)
    ax.plot(0, 0, "*", color=show.DUSK, ms=9)
    ax.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal", title=name.replace("_", " "))
    ax.set(xlabel="forger x", ylabel="detective y")
for (name, places), style in zip(paths.items(), ("-", "--", "-.", ":", (0, (5, 1)))):
    axes.flat[5].semilogy(np.hypot(*places.T), ls=style, lw=1.3, label=name.replace("_", " "))
axes.flat[5].set(xlabel="step", title="distance from rest")
axes.flat[5].legend(fontsize=6.5)
show.figure(fig, alt="Paths of the pair around rest: simultaneous steps spiral out, alternating ones circle; extragradient, "
            "R1 and the average of the circle come home. The last panel shows their distance from rest.")

# %%
distance = {name: np.hypot(*places.T) for name, places in paths.items()}
print({name: f"{rate(rule):.4f} a step" for name, rule in rules.items()})
assert math.isclose(rate(simultaneous), math.sqrt(1 + 0.2**2))  # (4.7)
assert np.allclose(distance["simultaneous"], rate(simultaneous) ** np.arange(61))
assert math.isclose(rate(alternating), 1) and 0.8 < distance["alternating"].min()
assert math.isclose(rate(extragradient), math.sqrt(1 - 0.2**2 + 0.2**4))
assert math.isclose(rate(with_r1), math.sqrt(1 - 0.2 + 0.2**2)) and distance["averaged"][-1] < 0.1

# %% [markdown]
# *Answer 3.* Together they fly away, at exactly the rate of the eigenvalue, and a smaller step only makes it slower:
# $\sqrt{1 + \eta^2}$ is above 1 for every $\eta$. In turns they circle for ever. No step is wrong. Each of the two does
# what is best for it, and the arrows simply do not point home: they turn.
#
# Three things bring them home. To look ahead before stepping (*extragradient*, Korpelevich 1976). Not to move better,
# but to publish the average of where one has been. Or to put brakes on the detective: the **R1 penalty** charges it for
# its slope at real coins,
#
# $$R_1 = \frac{\gamma}{2}\, \mathbb{E}_{p} \big[\, |\nabla_x D(x)|^2 \,\big] \tag{4.8}$$
#
# here $\gamma y^2 / 2$ (`gan.r1`; Mescheder et al. 2018). The field then points inwards, and only this one of the three
# changes the *game*, not the players. All three have a counterpart in practice, and the average is the cheapest. The
# library's loop plays in turns, for the reason just seen.
