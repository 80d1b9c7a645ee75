# %% [markdown]
# # 05 · VAE and diffusion: what was there before
#
# *read 84 min · do 205 min · run 44 s*
#
# **How can a machine learn to make something from watching how it is destroyed?**
#
# Take a drawing of a bird and shake every point of it, a little, a thousand times. In the end there is a grey cloud,
# and nobody could say whether it has been a bird or a fish. Run the film backwards, and a cloud becomes a bird. Most
# machines that draw pictures and videos today learnt little more than this: to look at one frame of the film and say
# what it was like before.
#
# The article that this course follows and corrects (*the article*) names two families of machines without saying how
# they work: variational autoencoders (变分自编码器, VAE) for music, diffusion models (扩散模型) for images and video.
# They are two answers to one question. Something hidden has become what we see: *what was it?* A VAE learns to guess
# the hidden thing. A diffusion model hides it itself, by noise, and so knows the answer.
#
# In real pictures nobody knows the right answer, so nobody can say how wrong a machine is. Here we build small worlds
# in which it can be calculated, and hold every machine against it.
#
# ## What you need
#
# Chapter 01: distributions, nats, the KL divergence. Chapter 02: Bayes' formula. The normal distribution $N(\mu,
# \sigma^2)$, derivatives, matrices. *Gradient* and *slope* mean the same.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from aigc import course, sample, show
from aigc.codecs import images
from aigc.models import diffusion
from aigc.models.diffusion import Mixture, ddpm, noised, readings, straight
from aigc.train import Recipe, train

course.start("05")
show.style()
torch.set_num_threads(1)  # with nets and worlds as small as these, two cores wait for each other


def dice(offset: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(1000 * course.seed() + offset)


# %% [markdown]
# ## What we will measure
#
# | world | what we measure | the baseline |
# |:--|:--|:--|
# | coins and lines with a hidden cause | nats by which a bound falls short | the KL of two posteriors |
# | a mean of many dice | variance of two estimates of its slope | each other |
# | two moons in noise | error of a net's guess of what was there | the exact answer |
# | the way back to the moons | distance from real points, by number of calls | two heaps of real points |
# | a ball that flies through eight frames | jumps and turns | the real ball |
#
# The chapter in one picture. Both machines have the hidden thing on the left and what we see on the right. In a VAE
# both arrows are learnt. In diffusion one of them is given, the lower one: it only adds noise.

# %%
show.diagram(
    {"hidden z": (0, 0, "truth"), "seen x": (2, 0), "clean x0": (0, 1.4, "truth"), "noised xt": (2, 1.4)},
    [
        ("hidden z", "seen x", "decoder, learnt"),
        ("seen x", "hidden z", "encoder, learnt"),
        ("clean x0", "noised xt", "noise, given"),
        ("noised xt", "clean x0", "network, learnt"),
    ],
    alt="Above: from the hidden z a learnt decoder leads to the seen x, a learnt encoder back. Below: from clean x0 "
    "noise leads to noised xt, a learnt network back.",
)

# %% [markdown]
# ## 1 · A hidden cause
#
# *How probable is what we see, if what caused it is hidden?* A bag holds two coins. Coin A shows heads nine times in
# ten, coin B twice in ten. Somebody takes one blindly, throws it three times and tells you: heads, heads, tails. Which
# coin it was, she does not say. It is the **hidden variable** (隐变量, latent variable) $z$; what you see is $x$.
#
# *Pencil.* $p(x, z)$ is $\tfrac12 \cdot 0.9 \cdot 0.9 \cdot 0.1 = 0.0405$ for A, and $\tfrac12 \cdot 0.2 \cdot 0.2
# \cdot 0.8 = 0.016$ for B. The **evidence** (证据) $p(x)$ is their sum, 0.0565, and Bayes' formula says that it was A
# with probability 0.0405 / 0.0565, a little more than seven in ten: this is the **posterior** (后验) $p(z \mid x)$.
#
# Two coins are easy. When $z$ is sixteen numbers and $x$ comes out of a network, the sum has no end and no formula. So
# one makes a guess $q(z)$ of the posterior, and computes a mean under the guess:
#
# $$\underbrace{\mathbb{E}_{q}\,[\log p(x, z) - \log q(z)]}_{\text{ELBO}}
# = \log p(x) - \mathrm{KL}\big(q(z) \,\|\, p(z \mid x)\big) \tag{5.1}$$
#
# To see it, write $p(x, z) = p(x)\, p(z \mid x)$ on the left. A KL is never negative, so the left side is a lower bound
# of the log evidence: the **evidence lower bound** (证据下界, ELBO). In code, `bound`. We can compute it: only $q$ and
# $p(x, z)$ are in it.
#
# *Predict 1.* You have not looked at the throws and guess "A or B, half and half". How far below the truth is the
# bound: nothing, a tenth of a nat, a whole nat?


# %%
def bound(r: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """The ELBO of guesses that give coin A the probabilities r. joint: p(x, A) and p(x, B)."""
    return r * np.log(joint[0] / r) + (1 - r) * np.log(joint[1] / (1 - r))  # (5.1), left


def kl(r: np.ndarray, s: float) -> np.ndarray:
    return r * np.log(r / s) + (1 - r) * np.log((1 - r) / (1 - s))


joint = np.array([0.5 * 0.9 * 0.9 * 0.1, 0.5 * 0.2 * 0.2 * 0.8])
evidence, posterior = joint.sum(), joint[0] / joint.sum()
r = np.linspace(0.001, 0.999, 999)
assert np.allclose(bound(r, joint), np.log(evidence) - kl(r, posterior))  # (5.1)
assert abs(r[bound(r, joint).argmax()] - posterior) < 1e-3
print(f"log p(x) = {np.log(evidence):.3f}; bound of half and half {bound(0.5, joint):.3f}")

# %%
fig, ax = plt.subplots()
ax.plot(r, bound(r, joint), color=show.SUNSET, label="ELBO")
ax.axhline(np.log(evidence), color=show.DUSK, ls="--", label="log p(x)")
ax.fill_between(r, bound(r, joint), np.log(evidence), color=show.GOLD, alpha=0.3, lw=0, label="KL")
ax.plot(posterior, np.log(evidence), "o", color=show.INK)
ax.annotate("the posterior", (posterior, np.log(evidence)), (posterior - 0.09, -2.6))
ax.set(xlabel="how sure the guess is that it was coin A", ylabel="nats", ylim=(-5, -2.4))
ax.legend(loc="lower center", ncols=3)
show.figure(fig, alt="The bound is a hill under the dashed line log p(x) and touches it at the posterior, 0.717.")

# %% [markdown]
# *Answer 1.* A tenth. What you lose is not how wrong the guess is about *this* coin but a KL, and near its best point a
# KL is flat. It is steep only at the ends: to be *sure* of the wrong thing is what costs.
#
# So (5.1) has two readings. Move $q$ upwards on the hill, and you have found the posterior without ever computing it.
# Or move the coins so that the hill rises: the evidence has to stay above it. A VAE does both at once, with numbers for
# coins. The guess may look at $x$, so from now on we write $q(z \mid x)$. And the bound is written in another way: put
# $p(x, z) = p(z)\, p(x \mid z)$ into (5.1),
#
# $$\text{ELBO} = \mathbb{E}_q \log p(x \mid z) - \mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big) \tag{5.2}$$
#
# *Draw well what you were shown, and say as little as you can in $z$.* This is `vae.elbo`. Here $q(z \mid x)$ is an
# **encoder** (编码器), which looks at $x$, and $p(x \mid z)$ a **decoder** (解码器).
#
# Is the gap a KL for *every* encoder, good or bad? Now a world of numbers where the evidence is known: $z$ is two
# numbers from $N(0, I)$, and $x = W z + \sigma\, \varepsilon$ three, with fresh noise $\varepsilon$. Evidence and
# posterior are normal distributions: $N(0, W W^\top + \sigma^2 I)$ and $N(P^{-1} W^\top x / \sigma^2, P^{-1})$ with $P
# = I + W^\top W / \sigma^2$ (take this as given). We draw two hundred $x$, and for each an encoder's answer, at random.

# %%
from torch.distributions import MultivariateNormal, kl_divergence

from aigc.models import vae

W, SIGMA = torch.randn(3, 2, generator=dice(1)).double(), 0.7
precision = torch.eye(2) + W.T @ W / SIGMA**2  # of the posterior, the inverse of its covariance
seen = MultivariateNormal(torch.zeros(3).double(), W @ W.T + SIGMA**2 * torch.eye(3))


def exact_elbo(x: torch.Tensor, mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """(5.2) without dice: of a normal z, the mean of log p(x | z) has a closed form. x: (B, 3); mu, logvar: (B, 2)."""
    blur = (logvar.exp() * W.square().sum(0)).sum(1) / (2 * SIGMA**2)  # what is lost since z is not sure
    drawn = vae.reconstruction(x, mu @ W.T, torch.tensor(SIGMA).double().log())
    return drawn - blur - vae.kl(mu, logvar)


many = torch.randn(200, 9, generator=dice(2)).double()
x, mu, logvar = many[:, :2] @ W.T + SIGMA * many[:, 2:5], many[:, 5:7], many[:, 7:]
true = MultivariateNormal(torch.linalg.solve(precision, (x @ W).T / SIGMA**2).T, torch.linalg.inv(precision))
guesses = MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
gap = seen.log_prob(x) - exact_elbo(x, mu, logvar)
assert torch.allclose(gap, kl_divergence(guesses, true))  # (5.1), for each of the 200
print(f"the gaps go from {gap.min():.2f} to {gap.max():.1f} nats, and each is the KL of its answer")
assert gap.min() > 0
first_x, first_mu, first_logvar = x[:1], mu[:1], logvar[:1]  # for section 2

# %% [markdown]
# Each gap is its KL to the last digit. No answer was the right one, and the bound of each was valid: to be wrong makes
# the bound loose, never false. That is why one may train with it.
#
# ### Two gaps, two causes
#
# What can make an encoder bad? Take $z$ one number, and let the decoder square it: $x = z^2 + 0.3\, \varepsilon$. Who
# sees $x = 4$ knows that $z$ was near 2 or near $-2$, and cannot know which. Our $q$ is one bell. The best that a bell
# can do is to choose a side. *Pencil: on the chosen side lies half of the posterior, but all of $q$. There $q$ is twice
# as large, so $\log q - \log p = \log 2$: one bit.* A second price comes in because one *network* has to answer for all
# $x$: it may be too stiff for the right answers. The first is called the approximation gap, the second the
# **amortisation gap** (摊销差距; Cremer et al. 2018). To tell them apart, we let 128 values of $x$ each have a bell of
# its own, and then ask two encoders, a straight line and a small net.

# %%
node, weight = np.polynomial.hermite_e.hermegauss(32)  # E f(e) for a normal e is a sum of 32 terms
node, weight = torch.tensor(node), torch.tensor(weight / weight.sum())
z = torch.linspace(-5, 5, 4001, dtype=torch.float64)
prior = torch.distributions.Normal(0.0, 1.0)
even = prior.icdf((torch.arange(128).double() + 0.5) / 128)  # 128 values that stand for all of N(0, 1)
x = even.square() + 0.3 * torch.randn(128, generator=dice(3)).double()
log_joint = prior.log_prob(z) + torch.distributions.Normal(z.square(), 0.3).log_prob(x[:, None])
truth = log_joint.logsumexp(1) + math.log(z[1] - z[0])  # log p(x), by a sum over a fine ruler


def square_elbo(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    drawn = mu[:, None] + (logvar / 2).exp()[:, None] * node
    likely = torch.distributions.Normal(drawn.square(), 0.3).log_prob(x[:, None]) @ weight
    return likely - vae.kl(mu[:, None], logvar[:, None])


def gap_of(encoder: nn.Module | nn.Parameter, ask) -> torch.Tensor:
    """Trains the encoder; returns how far its bound stays below the evidence, in nats, for each x."""
    optimizer = torch.optim.Adam([encoder] if isinstance(encoder, nn.Parameter) else encoder.parameters(), lr=0.03)
    for _ in range(500):
        optimizer.zero_grad()
        (-square_elbo(*ask(encoder)).mean()).backward()
        optimizer.step()
    return (truth - square_elbo(*ask(encoder))).detach()


# %%
own = nn.Parameter(torch.stack([x.clamp(min=0.1).sqrt(), torch.full_like(x, -2)], 1))
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 2)).double()
line = nn.Linear(1, 2).double()
line.weight.data.zero_(), line.bias.data.copy_(torch.tensor([1.0, -1.0]))  # from some starts it never finds a side
asked = lambda encoder: encoder(x[:, None]).unbind(1)
gaps = {
    "a bell for each x": gap_of(own, lambda own: own.unbind(1)),
    "a small net": gap_of(net, asked),
    "a straight line": gap_of(line, asked),
}

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for color, marker, (name, nats) in zip((show.INK, show.WATER, show.SUNSET), "o^s", gaps.items()):
    ax.plot(x, nats, marker, color=color, mfc="none", ms=5, label=f"{name}: {nats.mean():.2f} on average")
ax.axhline(math.log(2), color=show.DUSK, ls="--")
ax.text(5.6, math.log(2) - 0.4, "log 2", color=show.DUSK)
ax.set(xlabel="x", ylabel="evidence minus bound, nats", ylim=(0, 5), xlim=(-0.8, 6))
ax.legend(loc="upper right")
show.figure(
    fig,
    alt="The gap against x. A bell for each x rises from 0 to log 2 and stays there; the small net lies on it, "
    "but at the left end; the line lies above both nearly everywhere.",
)

# %%
own_gap, net_gap, line_gap = (nats.mean().item() for nats in gaps.values())
assert (gaps["a bell for each x"][x > 1.2] - math.log(2)).abs().max() < 0.03
assert own_gap < net_gap + 1e-3 < line_gap
course.expect("05.amortisation", line_gap - own_gap, baseline=net_gap - own_gap)

# %% [markdown]
# The dark circles are what one bell costs: nothing near zero, where both sides run together, and $\log 2$ from $x = 1$
# on. No training of the encoder removes it. The small net lies on them, except at the left end and where they bend. The
# line has to follow a root with its mean, and a logarithm with its spread, and can do neither. A better network closes
# the second gap only.
#
# ### When the code falls silent
#
# The strangest failure of a VAE is to be content without $z$. The encoder says the same about everything, $q(z \mid x)
# = p(z)$, the KL is zero, and the decoder draws its one mean. It is called **posterior collapse** (后验坍缩), and one
# often reads that the KL in (5.2) is to blame, or bad luck in training. In a linear world we can see what is. Let $x$
# be one number of mean 0 and variance $\lambda$, and $x = w z + \sigma\, \varepsilon$ the model, where the decoder's
# spread $\sigma$ has been chosen beforehand. The evidence is $N(0, w^2 + \sigma^2)$; it is highest where $w^2 +
# \sigma^2 = \lambda$. So, with the KL as a mean over $x$,
#
# $$w^2 = \max(0,\ \lambda - \sigma^2), \qquad \mathrm{KL} = \tfrac12 \log \max(1,\ \lambda / \sigma^2) \tag{5.3}$$
#
# (Lucas et al. 2019). These are `silence`, below. As soon as the decoder takes $\sigma^2 > \lambda$ for noise, all of
# $x$ *is* noise to it, and nothing is left to say. There is no better optimum to be missed.
#
# A second cause looks different. Let the decoder, and the encoder, see something else that tells of $x$: the pixel to
# the left, the label, the note before. Here it is one number $c$, which has the correlation $\rho = 0.8$ with $x$; the
# decoder draws $k c + w z$, and learns $k$ too.
#
# *Predict 2.* $\lambda = 1$. Does the code of the decoder that is told something fall silent at a smaller $\sigma$, at
# a larger one, or at the same? We train forty models at once by the exact bound, twenty of each kind.


# %%
def silence(left: float, sigma: np.ndarray) -> np.ndarray:
    """The KL at the best w of (5.3), in nats. left: the variance that is left to say, lambda."""
    return 0.5 * np.log(np.maximum(1, left / sigma**2))


def trained(rho: float, sigma: torch.Tensor) -> torch.Tensor:
    """The KL after training the bound (5.2), a mean over all x and c of variance 1, for each sigma at once."""
    w, u, logvar, k, m = (torch.full_like(sigma, start).requires_grad_() for start in (0.5, 0.5, -1.0, 0.0, 0.0))
    optimizer = torch.optim.Adam([w, u, logvar, k, m], lr=0.05)
    for _ in range(1000):
        optimizer.zero_grad()
        of_x, of_c = 1 - w * u, k - w * u * m  # x - (k c + w mu) = of_x x - of_c c, where mu = u (x - m c)
        missed = of_x.square() + of_c.square() - 2 * rho * of_x * of_c + w.square() * logvar.exp()
        said = 0.5 * (u.square() * (1 + m.square() - 2 * m * rho) + logvar.exp() - 1 - logvar)
        (missed / (2 * sigma.square()) + said).sum().backward()  # minus the bound; log sigma is a constant here
        optimizer.step()
    return said.detach()


sigma = torch.linspace(0.1, 1.2, 20)
said = {name: trained(rho, sigma) for name, rho in (("alone", 0.0), ("told something", 0.8))}

# %%
fig, ax = plt.subplots()
ruler = np.linspace(0.08, 1.25, 200)
for (name, nats), left, color in zip(said.items(), (1.0, 1 - 0.8**2), (show.SUNSET, show.WATER)):
    ax.plot(ruler, silence(left, ruler), "--", color=show.DUSK, lw=1)
    ax.plot(sigma, nats, "o", color=color, label=f"decoder {name}")
    assert np.allclose(nats, silence(left, sigma.numpy()), atol=0.02)
ax.set(xlabel="spread that the decoder takes for noise", ylabel="KL, nats said in z")
ax.legend()
show.figure(
    fig,
    alt="What is said in z falls with the spread and is zero from 1 on; for a decoder that is told something, "
    "from 0.6 on. Trained models lie on the dashed formula.",
)

# %% [markdown]
# *Answer 2.* At a smaller one: 0.6. To be told $c$ takes $\rho c$ off $x$, and what is left to say has the variance
# $\lambda (1 - \rho^2) = 0.36$. Every dot lies on (5.3) with what is left for $\lambda$, on the silent side too. Nobody
# was unlucky. If a code is silent, ask what the decoder takes for noise and what else it is told. Chapter 08's decoder
# learns its $\sigma$ and finds a small one; its code says a lot. (In deeper nets training can *also* get stuck early,
# with a decoder that has learnt to do without; that one is bad luck.)
#
# One thing was left out: our bounds were calculated without dice. A real decoder is a network, and the mean over $q$ in
# (5.2) has no formula. It has to be drawn, and then we need the slope of a mean of something random.
#
# ## 2 · Learning through dice
#
# *How do you find the slope of something that is drawn?* A decoder wants to know how the mean of some $f(z)$ changes
# when $q$ moves. But $z$ is drawn from $q$: a die has been thrown between the knob and the result, and one cannot
# differentiate a die. There are two ways around it. Let $z \sim N(\mu, s^2)$.
#
# **Move the numbers.** Write $z = \mu + s\,\varepsilon$ with $\varepsilon \sim N(0, 1)$: the die is thrown elsewhere,
# and $\mu$ only shifts what came out. This is **reparameterisation** (重参数化; Kingma & Welling 2014), and what
# `vae.elbo` does. It needs an $f$ with a slope. **Move the chances.** Keep the numbers that came out, and ask how much
# more probable they become when $\mu$ moves; the slope of $\log q$ in a parameter is called the **score function**
# (得分函数; Williams 1992).
#
# $$\frac{d}{d\mu}\, \mathbb{E} f(z) = \mathbb{E}\, f'(\mu + s\,\varepsilon)
# = \mathbb{E}\left[ f(z)\, \frac{d \log q(z)}{d \mu} \right] = \mathbb{E}\left[ f(z)\, \frac{z - \mu}{s^2} \right]
# \tag{5.4}$$
#
# These are `by_numbers` and `by_chances`, below. *Pencil: $f(z) = z^2$. The mean of $f$ is $\mu^2 + s^2$, so the slope
# is $2\mu$. And the two estimates? The first is $2z$. The second is $z^2 (z - \mu) / s^2$; put $z = \mu + s\,
# \varepsilon$, and of its mean only $2\mu\, \mathbb{E}\, \varepsilon^2 = 2\mu$ is left.* Both are right. But how steady
# are they?
#
# A model has many numbers at once. Let $f$ be the sum of $d$ squares; we ask for the slope in the first $\mu$ only,
# which the other $d - 1$ do not touch.
#
# *Predict 3.* $d = 100$, $\mu = 1$, $s = 1/2$. How many draws of the second kind are as good as one of the first: ten,
# a thousand, more than ten thousand?


# %%
MU, S = 1.0, 0.5


def by_numbers(eps: torch.Tensor) -> torch.Tensor:
    """(5.4): f' at each draw, for the first coordinate. eps: (N, d). Returns (N,)."""
    mu = torch.full_like(eps, MU, requires_grad=True)
    f = (mu + S * eps).square().sum(1)
    return torch.autograd.grad(f.sum(), mu)[0][:, 0]


def by_chances(eps: torch.Tensor, baseline: float = 0.0) -> torch.Tensor:
    """(5.4): f itself, by how much more probable its draw becomes. A constant may be taken off f."""
    f = (MU + S * eps).square().sum(1)
    return (f - baseline) * eps[:, 0] / S


dims, variance = [1, 3, 10, 30, 100], {}
for d in dims:
    eps = torch.randn(100_000, d, generator=dice(d))
    mean_f = d * (MU**2 + S**2)
    ways = {"moving numbers": by_numbers(eps), "moving chances": by_chances(eps)}
    ways["chances, mean taken off"] = by_chances(eps, mean_f)
    for name, slope in ways.items():
        variance.setdefault(name, []).append(slope.var().item())
        assert abs(slope.mean() - 2 * MU) < 5 * slope.std() / math.sqrt(len(eps))  # the exact slope

# %%
fig, ax = plt.subplots()
for color, marker, (name, measured) in zip((show.WATER, show.SUNSET, show.INK), "os^", variance.items()):
    ax.loglog(dims, measured, marker + "-", color=color, label=name)
ax.set(xlabel="d, how many numbers are in z", ylabel="variance of the slope")
ax.legend()
show.figure(
    fig,
    alt="Moving numbers: the variance stays the same with d. Moving chances: it grows as the square of d; with the "
    "mean taken off, in proportion to d.",
)
wide = {name: measured[-1] for name, measured in variance.items()}
assert wide["moving chances"] > 50_000 * wide["moving numbers"] > 100 * wide["chances, mean taken off"]

# %% [markdown]
# *Answer 3.* More than ten thousand; some sixty thousand. All three are right in the mean. But the first way looks at
# the *slope* of $f$ in one direction. The second sees only its *value*, to which a hundred numbers have contributed,
# and has to find out from many draws which one it was. Most of the value is not even news: to take a constant off $f$,
# a **baseline**, changes no mean (why?) and helps a hundredfold.
#
# Is the second way good for nothing? Of the two it is the only one where $z$ cannot be moved a little: for coins, for
# words, for whether a listener liked it. There is no slope between coin A and coin B. One of the ways in which language
# models are trained on human judgement is this one, and there much work goes into the baseline.
#
# ### ◇ Where the variances come from
#
# Moments of a normal number are known: $\mathbb{E}\, \varepsilon^2 = 1$, $\mathbb{E}\, \varepsilon^4 = 3$,
# $\mathbb{E}\, \varepsilon^6 = 15$. Write $m = \mu^2 + s^2$ for the mean of one square, $V = 4\mu^2 s^2 + 2 s^4$ for
# its variance, and $c$ for what the baseline takes off too much from the first square: the baseline, minus $(d - 1)\,
# m$ for the others.
#
# $$\text{numbers: } 4 s^2, \qquad \text{chances: } \frac{Q - 2 R c + c^2 + (d - 1) V}{s^2} - 4 \mu^2 \tag{5.5}$$
#
# with $Q = \mu^4 + 18 \mu^2 s^2 + 15 s^4$ and $R = \mu^2 + 3 s^2$, the means of $z_1^4 \varepsilon_1^2$ and $z_1^2
# \varepsilon_1^2$. It is `spread`. Without a baseline $c^2$ grows as $d^2$; with the mean as baseline $c = m$, whatever
# $d$ is.


# %%
def spread(d: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    m, V = MU**2 + S**2, 4 * MU**2 * S**2 + 2 * S**4
    Q, R, c = MU**4 + 18 * MU**2 * S**2 + 15 * S**4, MU**2 + 3 * S**2, baseline - (d - 1) * m
    return (Q - 2 * R * c + c**2 + (d - 1) * V) / S**2 - 4 * MU**2


d = np.array(dims)
formulas = np.full(5, 4 * S**2), spread(d, 0 * d), spread(d, d * (MU**2 + S**2))
for formula, (name, measured) in zip(formulas, variance.items()):
    print(f"d = 100, {name:24}: {formula[-1]:8,.0f}")
    assert np.allclose(measured, formula, rtol=0.1), name  # (5.5)

# %% [markdown]
# A VAE throws its dice in the first way. Does `vae.elbo` come to what section 1 calculated without them? We give it the
# world of section 1 and the first random answer.

# %%
from types import SimpleNamespace

throws = 50_000
thrower = SimpleNamespace(
    encode=lambda x, labels: (first_mu.expand(len(x), 2), first_logvar.expand(len(x), 2)),
    decode=lambda z, labels: z @ W.T,
    log_sigma=torch.tensor(SIGMA).double().log(),
)
by_dice = vae.elbo(thrower, first_x.expand(throws, 3), None, dice(4))
by_formula = exact_elbo(first_x, first_mu, first_logvar).item()
error = by_dice.std().item() / math.sqrt(throws)
print(f"by dice {by_dice.mean():.2f}, give or take {error:.2f}; by the formula {by_formula:.2f}")
assert abs(by_dice.mean().item() - by_formula) < 5 * error

# %% [markdown]
# It does, and its gradient is of the first kind. What troubles a VAE is the encoder: it has to *guess* the hidden
# cause, with a bell. Now we take the guessing away.
#
# ## 3 · Noise as a teacher
#
# *What can be known about a thing of which only noise is left?* Take a number $x_0$, shrink it a little, add a little
# noise, and again. Each step keeps $\sqrt{1 - \beta}$ of what is there and adds $\sqrt{\beta}$ of fresh noise, so that
# a variance of 1 stays 1 (Ho et al. 2020).
#
# *Pencil: two steps with $\beta = 0.36$. Of $x_0$ is left $0.8 \cdot 0.8 = 0.64$. The first noise was shrunk to $0.8
# \cdot 0.6 = 0.48$, and the second adds 0.6. Two independent noises make one, of deviation $\sqrt{0.48^2 + 0.6^2} =
# 0.768$. And $0.64^2 + 0.768^2 = 1$.* So however many the steps, one may jump:
#
# $$x_t = a(t)\, x_0 + b(t)\, \varepsilon, \qquad \varepsilon \sim N(0, I) \tag{5.6}$$
#
# This is `diffusion.noised`; time goes from the data, $t = 0$, to the noise, $t = 1$. `diffusion.ddpm` has the $a$ and
# $b$ of Ho and others; in their letters $a = \sqrt{\bar\alpha}$, the root of a product. We take their thousand steps
# one by one, for twenty thousand numbers that are $-1$ or $1$: signs, as we shall call them.

# %%
beta = torch.linspace(1e-4, 0.02, 1000)  # Ho et al. 2020, section 4
start = (torch.rand(20_000, generator=dice(5)) < 0.5).float() * 2 - 1
xs, g = [start], dice(6)
for rate in beta:
    xs.append((1 - rate).sqrt() * xs[-1] + rate.sqrt() * torch.randn(20_000, generator=g))
for k in (100, 300, 1000):
    a, b, *_ = ddpm(torch.tensor(k / 1000))
    kept = (xs[k] * start).mean()  # what is left of x0
    rest = (xs[k] - kept * start).std()
    print(f"step {k:4}: measured {kept:.2f} and {rest:.2f}; the formula says a = {a:.2f}, b = {b:.2f}")
    assert abs(kept - a) < 0.03 and abs(rest - b) < 0.02  # (5.6)

# %% [markdown]
# Now play the game. Somebody shows you one noised sign, $x_t = 0.1$ at a time when $a = 0.6$ and $b = 0.8$, and asks
# what it was. You are paid by the squared error, so you had better say neither $-1$ nor 1. The best answer to a squared
# error is the mean of what could have been, $\mathbb{E}[x_0 \mid x_t]$: for any answer $f$ that is made of $x_t$ alone,
#
# $$\mathbb{E}\,(f - x_0)^2 = \mathbb{E}\,\big(f - \mathbb{E}[x_0 \mid x_t]\big)^2
# + \text{what nobody can know} \tag{5.7}$$
#
# *Pencil.* By Bayes' formula the chances of 1 and $-1$ stand as $e^{-(x_t - a)^2 / 2b^2}$ to $e^{-(x_t + a)^2 / 2b^2}$.
# The mean is their difference over their sum, which is $\tanh(a\, x_t / b^2)$: here $\tanh(0.06 / 0.64) = 0.09$, nearly
# nothing. This is `Mixture.clean`, for any number of normal clouds. If you were paid for hits, you would name the
# nearer sign; a mean is never one. But the mean knows something else. Take the density $p(x_t)$ of *noised* signs, and
# the slope of its logarithm in $x_t$, the **score** (得分; not section 2's score function, which was a slope in a
# parameter). If you know the mean, you can calculate it:
#
# $$\nabla \log p(x_t) = \frac{a\, \mathbb{E}[x_0 \mid x_t] - x_t}{b^2} \tag{5.8}$$
#
# It is Tweedie's formula (Efron 2011), and `readings(...).score`. A reason in one line: $p(x_t)$ is a mean of bells
# around $a\, x_0$; the slope of a bell's logarithm is $(a\, x_0 - x_t)/b^2$; and the slope of the logarithm of a mean
# of bells is the mean of theirs, each weighted by its probability at this $x_t$. So *to guess what was there* and *to
# know uphill* are the same.
#
# *Predict 4.* Very near to the data ($t \approx 0.01$, $b = 0.05$) you see $x_t = 0.3$: a rare sight. What was there,
# and which way does the score point, and is it long or short?

# %%
signs = Mixture(torch.tensor([[-1.0], [1.0]]).double(), 0.0)
line = torch.linspace(-2.5, 2.5, 401).double()[:, None]
t = torch.full((401,), 0.15).double()
a, b, *_ = ddpm(t[0])
mean = signs.clean(line, t, ddpm)
assert torch.allclose(mean, torch.tanh(a * line / b**2))  # by hand
x = line.clone().requires_grad_()
slope = torch.autograd.grad(signs.log_density(x, t, ddpm).sum(), x)[0]
assert torch.allclose(slope, (a * mean - line) / b**2)  # (5.8)

rare, soon = torch.tensor([[0.3]]).double(), torch.tensor([0.0115]).double()
there = readings(ddpm, rare, soon, clean=signs.clean(rare, soon, ddpm))
print(f"b = {ddpm(soon).b.item():.2f}, seen 0.3: it was {there.clean.item():.2f}, score {there.score.item():.0f}")

noisy = xs[150]  # the same time, by 150 steps
near = [((noisy - place).abs() < 0.1) for place in np.arange(-2, 2.1, 0.4)]
heard = [start[hit].mean().item() for hit in near]  # nobody told these the formula

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2))
jitter = 0.06 * torch.randn(800, generator=dice(7))
left.plot(noisy[:800], start[:800] + jitter, ".", color=show.SKY, ms=2, label="noised signs")
left.plot(np.arange(-2, 2.1, 0.4), heard, "o", color=show.WATER, label="their means")
left.plot(line, mean, "--", color=show.DUSK, label="tanh")
left.set(xlabel="xt", ylabel="x0 (shaken a little)", ylim=(-1.3, 2.4), yticks=(-1, 0, 1))
left.legend(loc="upper left", fontsize=9)
density = signs.log_density(line, t, ddpm).exp()
right.fill_between(line[:, 0], density, color=show.GOLD, alpha=0.3, lw=0)
right.plot(line[:, 0], density, color=show.GOLD)
right.set(xlabel="xt", ylabel="p(xt), filled", ylim=(0, 0.5), title=f"a = {a:.2f}, b = {b:.2f}")
uphill = right.twinx()
uphill.plot(line[:, 0], slope[:, 0], color=show.SUNSET)
uphill.axhline(0, color=show.SUNSET, lw=0.5)
uphill.set(ylim=(-9, 9))
uphill.set_ylabel("score", color=show.SUNSET)
show.figure(
    fig,
    alt="Left: noised signs in two bands at x0 = -1 and 1; their means lie on a curve that rises from -1 to 1. Right: "
    "the density of noised signs with two humps; the score crosses zero on each of them and between.",
)
assert np.allclose(heard, torch.tanh(a * torch.arange(-2, 2.1, 0.4) / b**2), atol=0.12)

# %% [markdown]
# *Answer 4.* It was 1, as good as surely, and the score points there and is very long: $(1 - 0.3)/0.05^2$, nearly three
# hundred, since $b^2$ is small. Near the data, rare places are steep. In the figure, where $b$ is larger, the score is
# a gentle slope: it leads to one of the two humps, and is zero between them, where nothing says which.
#
# ### Four names for one number
#
# A paper's network "predicts the noise", another's "the score", a third one's "the velocity". Given $x_t$ and $t$ these
# are one number in four readings: from (5.6), what is not $x_0$ is noise, $\varepsilon = (x_t - a\, x_0)/b$; by (5.8)
# the score is $-\varepsilon / b$; and the **velocity** (速度), how $x_t$ moves along its path, is
#
# $$v = a'(t)\, x_0 + b'(t)\, \varepsilon \tag{5.9}$$
#
# with the derivatives of $a$ and $b$. All are linear, so what holds for the true values holds for their means. This is
# `diffusion.readings`: give one, and get four.

# %%
x, t = torch.tensor([[0.3], [-1.2]]).double(), torch.tensor([0.25, 0.6]).double()
four = readings(ddpm, x, t, clean=signs.clean(x, t, ddpm))
print(f"{'seen':9}", " ".join(f"{number:7.3f}" for number in x[:, 0]))
for name, value in four._asdict().items():
    print(f"{name:9}", " ".join(f"{number:7.3f}" for number in value[:, 0]))
    again = readings(ddpm, x, t, **{name: value})
    assert all(torch.allclose(one, other) for one, other in zip(again, four)), name

# %% [markdown]
# And so a network learns without being told a score by anybody: noise some data, ask for the reading that you like, and
# pay by the squared error (Vincent 2011). By (5.7) it comes to the mean, although every training example gives it a
# different answer. Its loss does not go to zero; what is left is what nobody can know.
#
# It matters which one you ask for all the same. That is the next section.
#
# ## 4 · One thing in two coordinates
#
# *Are diffusion and rectified flow two methods?* The one comes with square roots and a thousand steps, the other
# (整流流; Liu et al. 2023) with a straight line from data to noise, $x_{t'} = (1 - t')\, x_0 + t'\, \varepsilon$, and
# they are told as two stories. *Pencil: a point of the first kind, with $a = 0.6$ and $b = 0.8$. Divide it by 1.4:
# $0.43\, x_0 + 0.57\, \varepsilon$. These two add up to one.* So it **is** a point of the straight path, at $t' =
# 0.57$. In general
#
# $$x_{t'} = \frac{x_t}{a + b}, \qquad t' = \frac{b}{a + b} \tag{5.10}$$
#
# which is `to_line`. Another unit, another clock, nothing else. Our world is two moons: two half circles of 24 small
# normal clouds each, of which `Mixture` knows all. We check that both ways give one density, one mean, and one way
# back.


# %%
angle = torch.linspace(0, math.pi, 24)
arc, centre = torch.stack([angle.cos(), angle.sin()], 1), torch.tensor([0.5, 0.25])
moons = Mixture(torch.cat([arc - centre, centre - arc]), 0.08)


def to_line(x: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(5.10): a point of DDPM's path as one of the straight path. x: (B, 2); t: (B,)."""
    a, b, *_ = ddpm(t)
    return x / (a + b)[:, None], b / (a + b)


t = torch.linspace(0.05, 0.95, 500)
x = noised(moons.draw(500, dice(8)), torch.randn(500, 2, generator=dice(9)), t, ddpm)
on_line, when = to_line(x, t)
a, b, *_ = ddpm(t)
stretch = 2 * (a + b).log()  # of areas, in two dimensions
assert torch.allclose(moons.log_density(on_line, when, straight) - stretch, moons.log_density(x, t, ddpm), atol=1e-3)
assert torch.allclose(moons.clean(on_line, when, straight), moons.clean(x, t, ddpm), atol=1e-3)

# %%
exact = {path: lambda x, t, path=path: moons.clean(x, t, path) for path in (ddpm, straight)}


def velocity(clean, path):
    """What a solver follows, of what is believed of x0."""
    return lambda x, t: readings(path, x, t, clean=clean(x, t)).velocity


def starts(n: int, offset: int) -> torch.Tensor:
    return torch.randn(n, 2, generator=dice(offset))


noise = starts(500, 10)
clock = torch.linspace(1, 0.01, 400)
curved = sample.ode(velocity(exact[ddpm], ddpm), noise, clock.tolist())
first, last = (to_line(noise, torch.full((500,), time)) for time in (1.0, 0.01))
ends = to_line(curved, torch.full((500,), 0.01))
way = torch.linspace(first[1][0], last[1][0], 400)
direct = sample.ode(velocity(exact[straight], straight), first[0], way.tolist())
print(f"farthest apart of 500 ends: {(ends[0] - direct).norm(dim=1).max():.4f}")
assert (ends[0] - direct).norm(dim=1).max() < 0.05

# %% [markdown]
# The same noise arrives at the same point. So nobody can prefer one of the two for where it goes. But a network that
# *learns* is paid in one reading, at times drawn in one clock. An error $e$ in $x_0$ is an error $-(a/b)\, e$ in the
# noise and, on the straight path, $-e / t'$ in the velocity. By (5.7), both losses are paid for the squared distance of
# the net's belief $\hat x_0$ from one exact mean, with different weights:
#
# $$L_\varepsilon = \mathbb{E}\, \Big(\frac{1 - t'}{t'}\Big)^2 \big\| \hat x_0 - \mathbb{E}[x_0 \mid x] \big\|^2
# + \ldots, \qquad
# L_v = \mathbb{E}\, \Big(\frac{1}{t'}\Big)^2 \big\| \hat x_0 - \mathbb{E}[x_0 \mid x] \big\|^2 + \ldots \tag{5.11}$$
#
# The dots are what no net can change. These are `diffusion.loss` with `"noise"` and `"velocity"`. First the two
# weights: we make the exact answer wrong by $e$ and look at what becomes of the other readings.

# %%
e = torch.tensor([0.1, -0.2])


def moved(path, x: torch.Tensor, t: torch.Tensor, reading: str) -> torch.Tensor:
    best = moons.clean(x, t, path)
    return getattr(readings(path, x, t, clean=best + e), reading) - getattr(readings(path, x, t, clean=best), reading)


assert torch.allclose(moved(ddpm, x, t, "noise"), -e * ((1 - when) / when)[:, None], atol=1e-4)  # (5.11), left
assert torch.allclose(moved(straight, on_line, when, "velocity"), -e / when[:, None], atol=1e-4)  # right

# %% [markdown]
# Four small nets learn from the same moons, with equally many steps: on each path, with the clock that belongs to it,
# one that is asked for the noise and one for the velocity. Then we ask all of them the same: *what was there before?*
# Nobody but us can tell how wrong they are.
#
# *Predict 5.* Nearly pure noise, $t' = 0.95$. Are the worst nets there those of one path, or those of one reading?
# Worse by a tenth, by half, or several times? Look at the weights in (5.11).


# %%
class Net(nn.Module):
    """A point (B, 2) and a time (B,) to two numbers (B, 2)."""

    def __init__(self, width: int = 64):
        super().__init__()
        ends = nn.Linear(8, width), nn.Linear(width, 2)
        inside = [part for _ in range(2) for part in (nn.Linear(width, width), nn.SiLU())]
        self.layers = nn.Sequential(ends[0], nn.SiLU(), *inside, ends[1])

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        angle = math.pi * t[:, None] * torch.arange(1, 4)
        return self.layers(torch.cat([x, angle.cos(), angle.sin()], 1))


def learnt(path, reading: str) -> Net:
    torch.manual_seed(course.seed())
    net = Net()
    study = lambda net, step, g: diffusion.loss(net, moons.draw(256, g), g, path, reading)
    train(net, study, Recipe(steps=700, lr=0.015, ema=0.99, seed=course.seed()), progress=False)
    return net


nets = {(path, reading): learnt(path, reading) for path in (ddpm, straight) for reading in ("noise", "velocity")}


# %%
def guess(path, reading: str):
    """What this net believes of x0."""
    return lambda x, t: readings(path, x, t, **{reading: nets[path, reading](x, t)}).clean


x0, eps, wrong, times = moons.draw(4000, dice(11)), starts(4000, 12), {key: [] for key in nets}, []
for time in (0.008, 0.02, 0.03, 0.07, 0.125, 0.19, 0.26, 0.34, 0.43, 0.53, 0.66, 0.76):  # on DDPM's clock
    t = torch.full((4000,), time)
    x = noised(x0, eps, t, ddpm)
    on_line, when = to_line(x, t)  # the same points for all nets
    times.append(when[0].item())
    best = moons.clean(x, t, ddpm)
    for path, reading in nets:
        with torch.no_grad():
            away = guess(path, reading)(*((x, t) if path is ddpm else (on_line, when))) - best
        wrong[path, reading].append(away.square().sum(1).mean().sqrt().item())
times, wrong = np.array(times), {key: np.array(found) for key, found in wrong.items()}

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7, 3.4))
for path, style in ((ddpm, "--"), (straight, "-")):
    name = "DDPM's path" if path is ddpm else "the line"
    ax.semilogy(times, wrong[path, "noise"], "o" + style, color=show.SKY, label=f"the noise, on {name}")
    ax.semilogy(times, wrong[path, "velocity"], "s" + style, color=show.SUNSET, label=f"the velocity, on {name}")
ax.axhline(x0.square().sum(1).mean().sqrt(), color=show.INK, lw=1, ls=":")
ax.text(0.03, 1.13, "who always says: the middle", fontsize=9)
ax.set(xlabel="time t' on the line: 0 data, 1 noise", ylabel="error of the guess of x0", ylim=(3e-3, 4))
ax.legend(loc="lower center", fontsize=9, title="learnt", ncols=2, handlelength=4)
show.figure(
    fig,
    alt="All four nets err alike near the data, most around 0.2, and little in the middle. Towards pure noise the two "
    "that learnt the noise err more and more, up to half the size of the moons; the others do not.",
)

# %%
last = {key: found[-1] for key, found in wrong.items()}
noise_nets, others = ([last[path, reading] for path in (ddpm, straight)] for reading in ("noise", "velocity"))
assert min(noise_nets) > 2 * max(others)
assert all(found[3] > found[6] for found in wrong.values())  # the bump near 0.2, and the middle
ratio = wrong[ddpm, "noise"] / wrong[straight, "velocity"]
assert ratio[:5].max() < 3 and wrong[straight, "velocity"].max() < 0.25
course.expect("05.far_noise", ratio[-1], baseline=ratio[3])

# %% [markdown]
# *Answer 5.* Those of one reading, the noise, and several times over. In nearly pure noise almost everything *is* the
# noise: to say $\hat\varepsilon = x_t$ is nearly right, and the weight $((1 - t')/t')^2$ pays nothing for the rest. But
# to go back, one has to divide what is left by a small $a$, and a small error becomes a large one. On the line the
# velocity's weight $1/t'^2$ never falls below 1. (Exercise 05.3 calculates the weight of any reading on any path.) All
# nets have a small bump near $t' = 0.2$, and are good in the middle.
#
# And the losses, which one watches while a net learns? That of the velocity on the line, beside the exact answer's.

# %% tags=["nbval-ignore-output"]
answers = {"the net": nets[straight, "velocity"], "the exact answer": velocity(exact[straight], straight)}
with torch.no_grad():
    x0 = moons.draw(20_000, dice(14))
    paid = {name: diffusion.loss(answer, x0, dice(15), straight, "velocity").item() for name, answer in answers.items()}
print(", ".join(f"{name} pays {loss:.3f}" for name, loss in paid.items()))

# %%
assert paid["the exact answer"] < paid["the net"] < 1.2 * paid["the exact answer"]

# %% [markdown]
# Nearly all of the loss is what nobody can know; of how good the net is, it says something in the second decimal. Who
# can calculate the exact answer sees more.
#
# So they are one thing in two coordinates, and still not the same to *learn*. What differs is what the loss is paid
# for, and when. All common losses of diffusion models are weighted sums of this kind (Kingma & Gao 2023). And the bound
# of section 1? Read the lower row of the first diagram the other way: $x_0$ is what we see, $x_t$ what is hidden. Then
# the noise is an encoder that nobody has to train, of a thousand layers, and the ELBO of this long VAE is again such a
# weighted sum (Ho et al. 2020).
#
# ## 5 · The way back
#
# *How many looks does the way back need?* Start from noise at $t = 1$, and follow the velocity down to $t = 0$.
# *Pencil: let the world be one single point, 2. The exact answer is always: it was 2. On the straight path the velocity
# at $x$ is $\varepsilon - x_0 = (x - 2)/t$. From $x = 0.5$ at $t = 1$, one step of length 1 lands on $0.5 - (0.5 - 2) =
# 2$.* One look is enough, if there is only one thing to draw. With two points, 2 and $-2$, the answer at $t = 1$ is
# their *middle*, and one step lands on 0, where nothing is. To arrive at a point one has to look again on the way, when
# it has become clear which it will be.
#
# Steps need a rule. **Euler** takes the velocity here for the whole step; **Heun** tries that step, looks at the
# velocity there, and goes by the mean of both:
#
# $$x_s = x_t + (s - t)\, v(x_t, t), \qquad
# x_s = x_t + \tfrac{s - t}{2} \big( v(x_t, t) + v(x^{\text{Euler}}_s, s) \big) \tag{5.12}$$
#
# These are `sample.ode` with `order=1` and `order=2`. Heun's last step, to $t = 0$, is Euler's, so four steps take
# seven looks. Here is the whole of it in one picture: a world of one number, of which three values are frequent; time
# from left, noise, to right, data; and thirty ways (dark). The background shows where the density is high, at each time
# by its own scale, and at both ends it stands as a curve. Three ways are jostled (green); we come to them. Beneath, at
# equal times, a digit on its way: $x_t$, and what the course's network then believes of $x_0$.

# %%
three = Mixture(torch.tensor([[-1.5], [0.2], [1.4]]), 0.12, torch.tensor([0.3, 0.2, 0.5]))
lawn, moments = torch.linspace(-3, 3, 301)[:, None], torch.linspace(1, 0, 121)
ground = [three.log_density(lawn, moment.expand(301), straight).exp() for moment in moments]
downhill = velocity(lambda x, t: three.clean(x, t, straight), straight)
ways = [torch.randn(30, 1, generator=dice(14))]
for now, then in zip(moments, moments[1:]):
    ways.append(sample.ode(downhill, ways[-1], [now, then]))
jostled, g = [ways[0][:3]], dice(15)  # of the same starts, with fresh noise at each step
for now, then in zip(moments, moments[1:]):
    jostled.append(sample.ddim(lambda x, t: three.clean(x, t, straight), jostled[-1], [now, then], straight, 1.0, g))
ways, jostled = torch.cat(ways, 1), torch.cat(jostled, 1)  # (30, 121) and (3, 121)
assert (torch.cdist(ways[:, -1:], three.means).min(1).values < 0.5).all()

# %%
from aigc import released

painter, _ = released.load("digits")
label, canvas, strip = torch.tensor([3]), torch.randn(1, 1, 28, 28, generator=dice(15)), []
for k, (now, then) in enumerate(zip(moments[::5], moments[5::5])):
    if k % 3 == 0:
        with torch.inference_mode():
            here = painter(canvas, now.expand(1), label)
        believed = readings(straight, canvas, now.expand(1), velocity=here).clean
        strip.append((canvas[0, 0], believed[0, 0]))
    canvas = sample.ode(sample.guided(painter, label, 1.0), canvas, [now, then])

# %%
fig = plt.figure(figsize=(7, 5))
grid = fig.add_gridspec(2, 3, width_ratios=[1, 13, 1], height_ratios=[3, 2], wspace=0.02)
top, below = fig.add_subplot(grid[0, 1]), fig.add_subplot(grid[1, 1])
for ax, density in ((fig.add_subplot(grid[0, 0]), -ground[0]), (fig.add_subplot(grid[0, 2]), ground[-1])):
    ax.fill_betweenx(lawn[:, 0], density, color=show.GOLD, alpha=0.6, lw=0)
    ax.set(ylim=(-2.8, 2.8))
    ax.set_axis_off()
colours = torch.stack(ground, 1)
colours = ((colours / colours.amax(0)).sqrt() * 30).round()  # thirty tones make a small file
top.imshow(colours, extent=[1, 0, -3, 3], origin="lower", aspect="auto", cmap="YlOrBr", alpha=0.7)
top.plot(moments, ways.T, color=show.INK, lw=0.8)
top.plot(moments, jostled.T, color=show.WATER, lw=0.8)
top.set(ylabel="x", ylim=(-2.8, 2.8), xticks=[])
for place, (noisy, believed) in enumerate(strip):
    at = 1 - 0.125 * place
    for row, image in ((0, believed), (1, noisy)):
        below.imshow(image, extent=[at, at - 0.115, row, row + 0.95], aspect="auto", vmin=-1, vmax=1)
below.set(xlim=(1, 0), ylim=(0, 2), xlabel="time t: 1 noise, 0 data", yticks=(0.5, 1.5), yticklabels=["x0?", "xt"])
show.figure(
    fig,
    alt="Above: thirty dark lines start from noise, run nearly level, then part into three bands of high density; "
    "three jittery lines end there, too. Below: a digit comes out of noise; what is believed of it sharpens.",
)

# %% [markdown]
# Look at the dark lines first. At $t = 1$ every guess is the common middle, and all ways lean to it a little. While the
# noise shrinks, each guess moves away from the middle, towards one of the three values, and passes the point itself:
# there the way is level. Then it is drawn to its value. The digit does the same: first a blur where strokes may be, at
# last their edges.
#
# A rule of order $p$ has an error that is divided by $2^p$ when the steps are halved. Since the field is exact, what is
# left is the rule's own. In code, `strayed` measures it, against a thousand steps.


# %%
def strayed(order: int, steps: int) -> float:
    field = velocity(exact[straight], straight)
    return (sample.ode(field, noise, steps, order) - fully).norm(dim=1).median().item()


fully = sample.ode(velocity(exact[straight], straight), noise, 1000)
for name, order in (("Euler", 1), ("Heun", 2)):
    short = [strayed(order, steps) for steps in (16, 32, 64)]
    print(f"{name}: {short[0]:.4f}; half the step: divided by {short[0] / short[1]:.1f}")
    assert 0.75 * 2**order < math.sqrt(short[0] / short[2]) < 1.35 * 2**order

# %% [markdown]
# ### Back with fresh noise
#
# The first diffusion models went back otherwise: like the green ways in the picture, they draw at each step. Let $s$ be
# the next time, nearer to the data. We know what $x_s$ has to be: $a_s$ of $x_0$, plus noise of size $b_s$. A part of
# this noise is kept from $x_t$, a part $\kappa$ is drawn anew (Song, Meng & Ermon 2021):
#
# $$x_s = a_s\, \hat x_0 + \sqrt{b_s^2 - \kappa^2}\; \hat\varepsilon + \kappa\, \xi, \qquad
# \kappa = \eta\; b_s \sqrt{1 - \Big(\frac{a_t\, b_s}{a_s\, b_t}\Big)^2} \tag{5.13}$$
#
# with fresh $\xi \sim N(0, I)$. This is `sample.ddim`. $\eta = 0$ draws nothing and is called **DDIM**; $\eta = 1$
# draws as much as the chain of section 3 would have, and is **ancestral sampling** (祖先采样; exercise 05.5 derives its
# $\kappa$). *Pencil: from $a = 0.6$, $b = 0.8$ to $a = 0.8$, $b = 0.6$ the fraction is $0.36 / 0.64 = 0.5625$, so
# $\kappa = 0.6 \cdot 0.827 = 0.496$: of the variance 0.36 more than two thirds are new.* In the last step $b_s = 0$, so
# nothing is drawn there.
#
# And DDIM is no new rule: $a_s \hat x_0 + b_s \hat\varepsilon$, divided by $a_s + b_s$, lies on the line of (5.10)
# between the same two guesses. *DDIM is Euler's step on the straight path*, on another clock. We run both.

# %%
clock = [0.99, 0.7, 0.45, 0.2, 0.05]
points, moments = zip(*(to_line(noise, torch.full((500,), time)) for time in clock))
curved = sample.ddim(exact[ddpm], noise, clock, ddpm)
direct = sample.ode(velocity(exact[straight], straight), points[0], [moment[0].item() for moment in moments], order=1)
assert torch.allclose(to_line(curved, torch.full((500,), 0.05))[0], direct, atol=1e-3)  # DDIM is Euler on the line

# %% [markdown]
# A rule from physics, older than all these, asks for the score only. **Langevin** (朗之万) climbs it and is jostled,
#
# $$x \leftarrow x + \tfrac{h}{2}\, \nabla \log p(x) + \sqrt{h}\; \xi \tag{5.14}$$
#
# and if it does so for long, with small $h$, it visits each place as often as it is probable: `sample.langevin`. Song &
# Ermon (2019) made a generator of it, by letting the noise fall meanwhile. We give it one step at each of its levels,
# and at the last one ask for the mean: `climb`.
#
# How far is what arrives from real points? We look at both clouds along 48 lines, sort what we see, and take the mean
# distance of the partners: the **sliced Wasserstein distance** (Bonneel et al. 2015), `apart`.

# %%
N, LINES = 4000, torch.stack([(torch.arange(48) * math.pi / 48).cos(), (torch.arange(48) * math.pi / 48).sin()])


def apart(x: torch.Tensor, y: torch.Tensor) -> float:
    """How far x (N, 2) has to be carried to become y, seen along 48 lines: the sliced Wasserstein distance."""
    return ((x @ LINES).sort(0).values - (y @ LINES).sort(0).values).abs().mean().item()


def climb(clean, start: torch.Tensor, calls: int) -> torch.Tensor:
    """(5.14) at calls - 1 levels of DDPM's noise, and at the last the mean."""
    x, g = start, dice(16)
    for time in torch.linspace(1, 0.03, calls - 1).tolist():
        t = torch.full((len(x),), time)
        score = lambda x, t=t: readings(ddpm, x, t, clean=clean(x, t)).score
        x = sample.langevin(score, x, 1, 0.5 * ddpm(t[0]).b.item() ** 2, g)
    return clean(x, t)


solvers = {
    "Euler": lambda of, x, n: sample.ode(velocity(of[straight], straight), x, n, order=1),
    "Heun": lambda of, x, n: sample.ode(velocity(of[straight], straight), x, (n + 1) // 2),
    "DDIM": lambda of, x, n: sample.ddim(of[ddpm], x, n, ddpm),
    "ancestral": lambda of, x, n: sample.ddim(of[ddpm], x, n, ddpm, 1.0, dice(17)),
    "Langevin": lambda of, x, n: climb(of[ddpm], x, n),
}

# %% [markdown]
# Two clouds of 4,000 real points have a distance, too: where it lies, nothing is left to gain. Every solver gets the
# same noise and as many calls, first with the exact field, so that only the solver errs, then with two of the nets of
# section 4 (velocity on the line; noise on DDPM's path), so that both do.
#
# *Predict 6.* With the exact field every solver comes nearer with more calls. With a learnt net, does Heun with 63
# calls come as near as two clouds of real points are?

# %%
budgets = [3, 7, 15, 31, 63]
real, noise = moons.draw(N, dice(18)), starts(N, 19)
floor = [apart(moons.draw(N, dice(20 + i)), moons.draw(N, dice(30 + i))) for i in range(8)]
calls = []


def counted(clean):
    return lambda x, t: calls.append(1) or clean(x, t)


table = {}
believed = {ddpm: guess(ddpm, "noise"), straight: guess(straight, "velocity")}
for field, beliefs in (("exact", exact), ("learnt", believed)):
    for name, solve in solvers.items():
        for n in budgets:
            calls.clear()
            with torch.no_grad():
                made = solve({path: counted(clean) for path, clean in beliefs.items()}, noise, n)
            table.setdefault((field, name), []).append(apart(real, made))
            assert len(calls) == n  # nobody looks more often

# %% tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7, 3.6))
looks = zip(solvers, (show.SUNSET, show.WATER, show.SKY, show.DUSK, show.INK), "os^vD")
for name, color, marker in looks:
    for ax, field in zip(axes, ("exact", "learnt")):
        ax.loglog(budgets, table[field, name], marker + "-", color=color, label=name, lw=1.2)
for ax, title in zip(axes, ("exact field", "learnt field")):
    ax.axhspan(min(floor), max(floor), color=show.GOLD, alpha=0.3, lw=0)
    ax.set(xlabel="calls", title=title, xticks=budgets, xticklabels=budgets, ylim=(0.008, 0.8))
    ax.minorticks_off()
axes[0].set_ylabel("distance from real points")
axes[0].legend(fontsize=9, loc="upper right")
axes[0].text(3, np.mean(floor), "two real clouds", fontsize=9, va="center")
show.figure(
    fig,
    alt="Distance against calls. With the exact field all five fall to or near the band of two real clouds, Heun "
    "first. With the learnt ones all stop above it, the three with the net of the noise higher.",
)

# %%
far = {key: np.array(row) for key, row in table.items()}
assert far["exact", "Heun"][-1] < 1.5 * max(floor) and (far["exact", "Euler"] > 0.9 * far["exact", "Heun"]).all()
assert (far["exact", "Euler"][1:3] > 1.2 * far["exact", "Heun"][1:3]).all()
three_looks, fifteen = ({name: far["exact", name][k] for name in solvers} for k in (0, 2))
assert three_looks["Langevin"] < three_looks["Heun"] and fifteen["Langevin"] > 1.3 * fifteen["Heun"]
assert min(far["learnt", name][-1] / far["exact", name][-1] for name in solvers) > 1.3
on_line = max(far["learnt", name][-1] for name in ("Euler", "Heun"))
assert min(far["learnt", name][-1] for name in ("DDIM", "ancestral", "Langevin")) > on_line
assert 0.8 < far["learnt", "ancestral"][-1] / far["learnt", "DDIM"][-1] < 1.5
on_the_line = [to_line(torch.zeros(1, 2), torch.tensor([time]))[1].item() for time in (0.03, 1 / 3)]
assert np.allclose(on_the_line, [0.1, 0.6], atol=0.01)  # where Langevin and DDIM ask last, with three looks
course.expect("05.learnt", far["learnt", "Heun"][-1], baseline=np.mean(floor))

# %% [markdown]
# *Answer 6.* No. On the left Heun is in the band after fifteen calls: two looks a step are worth their price. Euler
# needs about twice as many, DDIM, the same rule on a clock that spends its steps elsewhere, twice as many again, and
# the two that draw fresh noise come near it or into it. Langevin is the best of all with three looks, and with fifteen
# it is far behind Heun. All five end with a guess of $x_0$, and with three looks the guess is nearly all there is:
# Langevin's clock asks for it at $t' = 0.1$, Euler's at a third, Heun's at a half, and the two on DDPM's clock at 0.6.
#
# On the right Heun's further looks buy nothing after fifteen calls: what is left is **the net's error**. The three that
# use the net of the noise stop higher. Does fresh noise correct what a net does wrong, as one reads? Here ancestral
# sampling comes about as near as DDIM. Noise does forget old mistakes (exercise 05.4), but it also doubles the part of
# the score, and of the score's error, in each step. Karras et al. (2022) found for pictures that some of it helps some
# nets, and too much harms.
#
# ### Not straight until it is rectified
#
# Why not one step? The path from each $x_0$ to its $\varepsilon$ is a straight line. But the ways in the large picture
# are not: where lines of different pairs cross, the velocity is their mean, and the ways bend. What would make them
# straight? Let the net itself say which noise goes with which point: start at noise, follow its way, and take both ends
# as a *pair*. Two ways of one field are never at the same place at the same time. So learn again, from lines between
# such pairs: this is what gave **rectified** flow its name (Liu et al. 2023). We measure how much a way's velocity
# changes: its mean squared distance from the whole way over the whole time, in parts of the latter's square. This is
# `bend`, 0 for a straight way at a steady pace.
#
# *Predict 7.* After rectifying once: how far from real points is what *one* call draws?


# %%
@torch.no_grad()
def follow(net: Net, x: torch.Tensor, steps: int = 32) -> torch.Tensor:
    """Each way from noise to the end, (steps + 1, B, 2)."""
    ways, clock = [x], torch.linspace(1, 0, steps + 1)
    for now, then in zip(clock, clock[1:]):
        ways.append(sample.ode(net, ways[-1], [now, then]))
    return torch.stack(ways)


def bend(ways: torch.Tensor) -> float:
    """How much the velocity changes along the ways: 0 for straight ones at a steady pace (Liu et al. 2023)."""
    pace, whole = ways.diff(dim=0) * (len(ways) - 1), ways[-1] - ways[0]
    return ((pace - whole).square().sum(2).mean() / whole.square().sum(1).mean()).item()


# %%
once = nets[straight, "velocity"]
pool = starts(20_000, 30)
pairs = torch.stack([pool, sample.ode(once, pool, 16)])


def again(net: Net, step: int, g: torch.Generator) -> torch.Tensor:
    eps, x0 = pairs[:, torch.randint(len(pool), (256,), generator=g)]
    t = torch.rand(256, generator=g)
    return (net(noised(x0, eps, t, straight), t) - (eps - x0)).square().mean()


twice = Net()
twice.load_state_dict(once.state_dict())
train(twice, again, Recipe(steps=600, lr=0.003, ema=0.99, seed=course.seed()), progress=False)
ways = {"learnt once": follow(once, noise), "rectified": follow(twice, noise)}

# %% tags=["nbval-ignore-output"]
few = [1, 2, 4, 8, 63]
short = {name: [apart(real, sample.ode(net, noise, n, 1)) for n in few] for name, net in zip(ways, (once, twice))}
fig, axes = plt.subplots(1, 2, sharex=True, sharey=True, figsize=(7, 3.4))
for ax, (name, way) in zip(axes, ways.items()):
    ax.plot(*real[:500].T, ".", color=show.SKY, ms=2)
    ax.plot(*way[:, :40].unbind(2), color=show.SUNSET, lw=0.8)
    ax.plot(*way[0, :40].T, ".", color=show.INK, ms=4)
    ax.plot(*way[-1, :40].T, "o", color=show.SUNSET, mfc="white", ms=3.5, mew=0.8)
    ax.set(title=name, aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.2, 2.2), xlabel="x")
axes[0].set_ylabel("y")
show.figure(
    fig,
    alt="Forty ways from noise to two moons. Left they bend, some turn round; right they are straight lines. A few end "
    "beside the moons.",
)
print("calls                  ", *(f"{n:6}" for n in few))
for name, row in short.items():
    print(f"{name:12}, bend {bend(ways[name]):5.2f}", *(f"{distance:6.2f}" for distance in row))

# %%
assert bend(ways["rectified"]) < 0.05 and bend(ways["learnt once"]) > 0.5
assert 0.7 < short["rectified"][0] / short["learnt once"][-1] < 1.3
course.expect("05.one_call", short["rectified"][0], baseline=short["learnt once"][0])

# %% [markdown]
# *Answer 7.* About as far as the first net with sixty-three: one step along a straight way, at a steady pace, is the
# whole way. What it has no means to be is *better* than the net that made its pairs. The error that was learnt once has
# been learnt again.
#
# Who says that rectified flow is fast "because its paths are straight" speaks of the paths it learns *from*. The ways
# of the left picture come from just such straight lines.
#
# ## 6 · One more axis
#
# *Why can one not draw each frame of a video alone?* A video is a picture with one more axis, and diffusion does not
# mind: noise all frames, guess all frames. *Pencil: a film of two frames, in which a ball lies left or right and never
# moves. Draw each frame alone, perfectly. In how many films does the ball jump? In half of them.* Each frame is right,
# and the film is wrong, because
#
# $$p(x^{(1)}, \dots, x^{(F)}) = \prod_k p(x^{(k)} \mid x^{(1)}, \dots, x^{(k-1)})
# \;\neq\; \prod_k p(x^{(k)}) \tag{5.15}$$
#
# where $x^{(k)}$ is frame $k$ of $F$, unless frames have nothing to do with each other. In code: `together` and
# `alone`. Our scene is a ball that flies through a room of 12 x 12 pixels and bounces, eight frames long: 392 films,
# from 49 places in eight directions. They are the whole world, so the exact field is known once more, and nobody has to
# be trained. Between *together* and *alone* there is a third way: each frame *given* the frames before it. In `given`,
# films whose last frames fit are more probable, by Bayes' formula. How many frames must it see?
#
# *Predict 8.* A ball that sees one frame before: does it fly, jump, or tremble?

# %%
SIZE, FRAMES, ROOM = 12, 8, 6
grid = torch.arange(SIZE) + 0.5
start = torch.cartesian_prod(*[torch.arange(ROOM + 1)] * 2)  # 49 places, numbered from wall to wall
direction = torch.tensor([[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
flight = start[:, None, None] + direction[:, None] * torch.arange(FRAMES)[:, None]  # (49, 8, FRAMES, 2)
flight = ROOM - (flight % (2 * ROOM) - ROOM).abs()  # the walls send it back
flight = 1.5 + 1.5 * flight.reshape(-1, FRAMES, 2)  # in pixels
away = (flight[..., None, None, 0] - grid) ** 2 + (flight[..., None, None, 1] - grid[:, None]) ** 2
films = 2 * torch.exp(-away / 2) - 1  # (392, FRAMES, SIZE, SIZE) in [-1, 1]

# %%
COUNT, SOFT = 16, 0.1


def draw(world: Mixture, noise: torch.Tensor) -> torch.Tensor:
    return sample.ddim(lambda x, t: world.clean(x, t, straight), noise, 12, straight)


def together(noise: torch.Tensor) -> torch.Tensor:
    """Films (B, FRAMES, SIZE, SIZE) of noise of that shape, all frames at once."""
    return draw(Mixture(films.flatten(1), SOFT), noise.flatten(1)).view_as(noise)


def alone(noise: torch.Tensor) -> torch.Tensor:
    """Each frame by itself: to it, the world is 3,136 single pictures."""
    pictures = films.reshape(-1, SIZE * SIZE)
    return draw(Mixture(pictures, SOFT), noise.reshape(-1, SIZE * SIZE)).view_as(noise)


# %%
def given(made: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Goes on with the films `made` (B, memory, SIZE, SIZE), each frame drawn knowing the last `memory` ones."""
    memory = made.size(1)
    starts_at = range(FRAMES - memory)  # wherever in a film these frames may stand
    past = torch.stack([films[:, i : i + memory].flatten(1) for i in starts_at], 1).flatten(0, 1)
    then = torch.stack([films[:, i + memory].flatten(1) for i in starts_at], 1).flatten(0, 1)
    for k in range(memory, FRAMES):
        frames = []
        for film, eps in zip(made, noise[:, k]):
            fits = -(past - film[-memory:].flatten()).square().sum(1) / (2 * SOFT**2)
            frames.append(draw(Mixture(then, SOFT, fits.softmax(0)), eps.flatten()[None]).view(1, SIZE, SIZE))
        made = torch.cat([made, torch.stack(frames)], 1)
    return made


noise = torch.randn(COUNT, FRAMES, SIZE, SIZE, generator=dice(40))
whole = together(noise)
shows = {
    "real": films[torch.randperm(len(films), generator=dice(41))[:COUNT]],
    "together": whole,
    "alone": alone(noise),
    "one noise": alone(noise[:, :1].expand(-1, FRAMES, -1, -1)),
    "given 1": given(whole[:, :1], noise),
    "given 2": given(whole[:, :2], noise),
}


# %%
def places(film: torch.Tensor) -> torch.Tensor:
    """Where the ball is, in pixels. film: (B, FRAMES, SIZE, SIZE). Returns (B, FRAMES, 2)."""
    ink = (film + 1).clamp(min=0) ** 2
    ink = ink / ink.sum((2, 3), keepdim=True)
    return torch.stack([(ink.sum(2) * grid).sum(2), (ink.sum(3) * grid).sum(2)], 2)


print(f"{'':11}{'step':>6}{'change of step':>16}")
measured = {}
for name, film in shows.items():
    steps = places(film).diff(dim=1)
    measured[name] = steps.norm(dim=2).mean().item(), steps.diff(dim=1).norm(dim=2).mean().item()
    print(f"{name:11}{measured[name][0]:6.1f}{measured[name][1]:16.1f}")
strips = torch.cat([film[0] for film in shows.values()])
show.images(
    images.decode(strips[:, None]),
    columns=FRAMES,
    labels=[name if k == 0 else "" for name in shows for k in range(FRAMES)],
    alt="Six films of eight frames: real and together fly; alone jumps; with one noise it stands still; given one "
    "frame it trembles; given two it flies.",
)

# %%
fig, axes = plt.subplots(1, 6, figsize=(7, 1.7), sharex=True, sharey=True)
for ax, (name, film) in zip(axes, shows.items()):
    for way, color in zip(places(film[:3]), (show.SUNSET, show.WATER, show.INK)):
        ax.plot(*way.T, ".-", color=color, lw=1, ms=4)
    ax.set(title=name, aspect="equal", xlim=(0, SIZE), ylim=(SIZE, 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
show.figure(fig, alt="The ways of three balls each: lines with bounces; a tangle; points; crooked walks; lines again.")

# %%
step, change = measured["real"]
assert abs(measured["together"][0] - step) < 0.3 and measured["together"][1] < 1.5 * change
assert measured["alone"][0] > 2 * step and measured["one noise"][0] < 0.05
assert abs(measured["given 1"][0] - step) < 0.4 and measured["given 1"][1] > 1.8 * change
assert measured["given 2"][1] < 1.5 * change

# %% [markdown]
# *Answer 8.* It trembles. From one frame you see *where* the ball is and not *where it is going*: its steps have the
# right length, but each has a new direction. With two frames it flies. Frames that were drawn alone jump across the
# room. And from one noise the ball stands still: to this field the same noise means the same place, which is why noise
# that is shared, or turned slowly (chapter 08), makes a film calm and not right.
#
# So a video model's frames have to see each other, for as long as it takes to know what moves. The price: a picture of
# $n$ places has $n^2$ pairs for attention to compare (chapter 03); all pairs of $F$ frames are $F^2 n^2$. One can look
# along space and along time in turns, which costs $F n^2 + F^2 n$ (Ho et al. 2022), and one can squeeze the video by a
# VAE first and diffuse what is left (Blattmann et al. 2023). There the two halves of this chapter meet.
#
# ## 7 · Your own
#
# *Can you tell a shape that dissolves from one that is being born?* Draw with the mouse, in one stroke or many; or give
# `MINE` points `[x, y]`, in any unit. The course's example is a wild duck over the water, from the couplet that gave
# this course its name. Your points, each a little soft, are the data; the field is exact, so nothing is trained.

# %% tags=["mine", "nbval-ignore-output"]
from aigc.pad import Pad

pad = Pad()  # draw here, then run the cells below
pad

# %% tags=["mine"]
MINE = None  # or points: [[0.0, 1.0], [0.5, 0.8], ...], at least 20


# %% tags=["mine"]
def placed(points) -> torch.Tensor:
    """Points (N, 2), moved to the middle and scaled to a size of 1."""
    array = torch.tensor(np.asarray(points, dtype=np.float64))
    if array.ndim != 2 or array.shape[1:] != (2,) or len(array) < 20 or not array.isfinite().all():
        raise ValueError(f"give at least 20 finite points [x, y], not {tuple(array.shape)}")
    array = array - array.mean(0)
    return (array / (array.square().mean().sqrt() or 1.0)).float()


w = np.linspace(0, 1, 120)[:, None]
ring = np.concatenate([np.cos(2 * np.pi * w), np.sin(2 * np.pi * w)], 1)
corners = [[0.25, 0.18], [0, 0.8], [-0.55, 1.25], [-0.45, 0.75], [-0.3, 0.2]]  # of a wing
corners += [[-0.9, 0.05], [-1.3, 0.18], [-1.2, -0.08], [-0.8, -0.05]]  # and of the tail
lines = [a + w[::6] * (np.array(b) - a) for a, b in zip(np.array(corners), corners[1:])]
neck, bill = [0.75, 0.1] + w[::5] * [0.65, 0.2], [1.62, 0.34] + w[::10] * [0.33, -0.06]
water = np.concatenate([4.4 * w - 2.1, 0.07 * np.sin(16 * w) - 0.9], 1)
duck = np.concatenate([ring * [0.85, 0.22], *lines, neck, bill, ring[::4] * 0.13 + [1.5, 0.35], water])
drawn = pad.points if pad.strokes else duck
own = placed(drawn if MINE is None else MINE)
world = Mixture(own, 0.03)

# %% tags=["mine", "showpiece"]
clock, dust = [0.0, 0.1, 0.25, 0.5, 1.0], dice(50)
x0, eps, fresh = world.draw(1000, dust), *torch.randn(2, 1000, 2, generator=dust)
field = lambda x, t: readings(straight, x, t, clean=world.clean(x, t, straight)).velocity
born = [fresh]
for now, then in zip(clock[::-1], clock[-2::-1]):
    between = torch.linspace(now, then, 13).tolist()
    born.append(sample.ode(field, born[-1], between))
gone = [noised(x0, eps, torch.full((1000,), t), straight) for t in clock]
fig, axes = plt.subplots(2, 5, figsize=(7, 3.1), sharex=True, sharey=True)
for row, (frames, color) in zip(axes, ((gone, show.INK), (born[::-1], show.SUNSET))):
    for ax, points in zip(row, frames):
        ax.plot(*points.T, ".", color=color, ms=1.3, mew=0)
        ax.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
for ax, t in zip(axes[0], clock):
    ax.set_title(f"t = {t:g}")
axes[0, 0].set_ylabel("dissolves →"), axes[1, 0].set_ylabel("← is born")
show.figure(
    fig, alt="Above, a drawn shape dissolves from left to right; below, a shape is born of noise from right to left."
)
assert torch.cdist(born[-1], own).min(1).values.quantile(0.95) < 0.2

# %% [markdown]
# *Odd:* in each column both rows are draws from one and the same distribution, so nobody could tell which is the film
# that runs backwards. But no point of the lower row has ever been one of the upper: it began as other noise, and has
# become a part of the same drawing.
#
# ## Checkpoint
#
# *A friend trains a diffusion model on photographs. After a short time the loss stays at 0.2. She wants a larger
# network. What do you tell her?*
#
# <details><summary>Answer</summary>
#
# That the loss does not go to zero even for the best model there is: by (5.7) some of it, perhaps nearly all, is what
# nobody can know, and from the loss alone she cannot tell how much. Compare losses of two networks at the same times
# and in the same reading, or look at what it draws. The same network has another loss in another reading (5.11).
#
# </details>
#
# ## Break it
#
# All this time the perfect answer was the one to reach for. Suppose that we have only **forty** points of the two
# moons, and nothing else. The exact field of these forty is known (`Mixture` with no spread), and it is what a net's
# loss asks for: no net can have a lower one. Let it draw, and beside it a net that learnt from the same forty.
#
# *Predict 9.* Where do a thousand draws of the exact field land? And what is wrong with the net's, if anything?

# %%
shown = moons.draw(40, dice(60))
perfect = Mixture(shown, 0.0)
torch.manual_seed(course.seed())
net = Net()


def few_points(net: Net, step: int, g: torch.Generator) -> torch.Tensor:
    return diffusion.loss(net, shown[torch.randint(40, (256,), generator=g)], g, straight, "velocity")


train(net, few_points, Recipe(steps=600, lr=0.01, ema=0.99, seed=course.seed()), progress=False)
seeds, unseen = starts(1000, 61), moons.draw(1000, dice(62))
fields = {"perfect": velocity(lambda x, t: perfect.clean(x, t, straight), straight), "a net": net}
drawn = {name: sample.ode(field, seeds, 100) for name, field in fields.items()}
drawn["shaken"] = shown[torch.randint(40, (1000,), generator=dice(64))] + 0.1 * starts(1000, 65)
nearest = lambda x, y: torch.cdist(x, y).min(1).values
copied = {name: (nearest(x, shown) < 0.01).float().mean().item() for name, x in drawn.items()}
missed = {name: nearest(unseen, x).mean().item() for name, x in drawn.items()}
beside = {name: nearest(x, unseen).mean().item() for name, x in drawn.items()}
cost = lambda clean: diffusion.loss(clean, shown.repeat(200, 1), dice(63), straight, "velocity").item()
with torch.no_grad():
    assert cost(fields["perfect"]) < cost(net)  # as by (5.7)
assert copied["perfect"] > 0.9 and copied["a net"] < 0.1 and missed["a net"] < 0.7 * missed["perfect"]
assert beside["a net"] > 1.5 * beside["perfect"]
assert missed["shaken"] < 1.2 * missed["a net"] and beside["shaken"] < beside["a net"]

# %% tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharex=True, sharey=True, figsize=(7, 3))
for ax, name in zip(axes, fields):
    ax.plot(*unseen[:500].T, ".", color=show.SKY, ms=2, label="unseen")
    ax.plot(*drawn[name][:300].T, ".", color=show.SUNSET, ms=3, label="drawn")
    ax.plot(*shown.T, "o", mfc="none", mec=show.INK, ms=7, lw=0.8, label="shown")
    ax.set(title=f"{name}: {copied[name]:.0%} are copies", aspect="equal", xlabel="x", ylim=(-1.3, 1.3))
axes[0].set_ylabel("y")
axes[0].legend(fontsize=9, loc="upper right")
show.figure(
    fig,
    alt="Left: all draws lie in the middle of forty circles, the points that were shown. Right: draws lie all along "
    "the moons, and many between and beside them.",
)
print(f"{'':10}{'copies':>8}{'unseen to drawn':>18}{'drawn to unseen':>18}")
for name in drawn:
    print(f"{name:10}{copied[name]:8.0%}{missed[name]:18.3f}{beside[name]:18.3f}")

# %% [markdown]
# *Answer 9.* On the forty points. The perfect student of a finite set can do nothing but return it, and by its loss
# nobody beats it. The net has a *higher* loss; its draws are new and lie along the whole moons, nearer to points that
# neither has seen; and many lie beside them, where nothing is. To be new is no art: the forty points, shaken a little,
# are new, too, and no worse by both numbers (third line). **What is new in what a diffusion model makes, it makes
# because it fails to learn the field of its examples exactly**, and what it is worth depends on *how* it fails. For
# nets with convolutions Kamb & Ganguli (2024) could say how: they put together small pieces of different examples.
# Train a larger net for longer on few pictures, and it becomes more perfect, until it copies (chapter 14).
#
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# ## Limits
#
# The worlds of sections 3 to 6 are sums of normal clouds in a few dimensions, or 392 films. There, exact fields cost
# nothing and small nets fit them well. What is derived of noise, (5.6) to (5.15), holds for pictures too; (5.3) is for
# one number and (5.5) for one $f$. What is *measured* need not hold elsewhere: which solver is best with a learnt net,
# and whether fresh noise helps, changes with the net, the data and the clock (Karras et al. 2022). On each path the
# nets have its own clock, so that path and clock are not told apart. That moving numbers is the steadier way was shown
# for a sum of squares; for a jagged $f$ it need not be. What is said of large video models is from the literature and
# was not run here. Hierarchies of hidden causes, flows with an exact likelihood and discrete diffusion are left out.
#
# ## Exercises
#
# - 05.1 · verify · 15 min · ●●○○○ · the bound of a line, without dice
# - 05.2 · verify · 15 min · ●●○○○ · noise it, and say what it was
# - 05.3 · modify · 25 min · ●●●○○ · another reading, another weight
# - 05.4 · investigate · 25 min · ●●●○○ · does fresh noise forgive?
# - 05.5 · build · 45 min · ●●●●○ · the way back with fresh noise
# - 05.6 · debug · 20 min · ●●●○○ · a bound that lies above the truth
# - 05.7 · challenge · 60 min · ●●●●● · seven looks
#
# ## References
#
# - Blattmann, A. et al. (2023). Align your latents: high-resolution video synthesis with latent diffusion models.
#   arXiv:2304.08818
# - Bonneel, N. et al. (2015). Sliced and Radon Wasserstein barycenters of measures. doi:10.1007/s10851-014-0506-3
# - Cremer, C., Li, X. and Duvenaud, D. (2018). Inference suboptimality in variational autoencoders. arXiv:1801.03558
# - Efron, B. (2011). Tweedie's formula and selection bias. doi:10.1198/jasa.2011.tm11181
# - Ho, J., Jain, A. and Abbeel, P. (2020). Denoising diffusion probabilistic models. arXiv:2006.11239
# - Ho, J. et al. (2022). Video diffusion models. arXiv:2204.03458
# - Kamb, M. and Ganguli, S. (2024). An analytic theory of creativity in convolutional diffusion models.
#   arXiv:2412.20292
# - Karras, T. et al. (2022). Elucidating the design space of diffusion-based generative models. arXiv:2206.00364
# - Kingma, D. P. and Gao, R. (2023). Understanding diffusion objectives as the ELBO with simple data augmentation.
#   arXiv:2303.00848
# - Kingma, D. P. and Welling, M. (2014). Auto-encoding variational Bayes. arXiv:1312.6114
# - Liu, X., Gong, C. and Liu, Q. (2023). Flow straight and fast. arXiv:2209.03003
# - Lucas, J. et al. (2019). Don't blame the ELBO! A linear VAE perspective on posterior collapse. arXiv:1911.02469
# - Song, J., Meng, C. and Ermon, S. (2021). Denoising diffusion implicit models. arXiv:2010.02502
# - Song, Y. and Ermon, S. (2019). Generative modeling by estimating gradients of the data distribution.
#   arXiv:1907.05600
# - Vincent, P. (2011). A connection between score matching and denoising autoencoders. doi:10.1162/NECO_a_00142
# - Williams, R. J. (1992). Simple statistical gradient-following algorithms for connectionist reinforcement learning.
#   doi:10.1007/BF00992696
