# %% [markdown]
# # 05 · VAE and diffusion: what was there before
#
# *read 0 min · do 0 min · run 0 s*
#
# **How can a machine learn to make something from watching how it is destroyed?**
#
# Take a drawing of a bird and shake every point of it, a little, a thousand times. In the end there is a grey cloud, and
# nobody could say whether it has been a bird or a fish. Run the film backwards, and a cloud becomes a bird. The machines
# that draw pictures and videos today learnt nothing but this: to look at one frame of the film and say what it was
# like before.
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
from aigc.models import diffusion
from aigc.models.diffusion import Mixture, ddpm, noised, readings, straight
from aigc.train import Recipe, train

device = course.start("05")
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
# both arrows are learnt. In diffusion the upper one is given, and it is only noise.

# %%
show.diagram(
    {"hidden z": (0, 0, "truth"), "seen x": (2, 0), "clean x0": (0, 1.4, "truth"), "noised xt": (2, 1.4)},
    [
        ("hidden z", "seen x", "decoder, learnt"),
        ("seen x", "hidden z", "encoder, learnt"),
        ("clean x0", "noised xt", "noise, given"),
        ("noised xt", "clean x0", "network, learnt"),
    ],
    alt="Above: from the hidden z a learnt decoder leads to the seen x, a learnt encoder back. Below: from clean x0 noise "
    "leads to noised xt, a learnt network back.",
)

# %% [markdown]
# ## 1 · A hidden cause
#
# *How probable is what we see, if what caused it is hidden?* A bag holds two coins. Coin A shows heads nine times in
# ten, coin B twice in ten. Somebody takes one blindly, throws it three times and tells you: heads, heads, tails. Which
# coin it was, she does not say. It is the **hidden variable** (隐变量, latent variable) $z$; what you see is $x$.
#
# *Pencil.* $p(x, z)$ is $\tfrac12 \cdot 0.9 \cdot 0.9 \cdot 0.1 = 0.0405$ for A, and $\tfrac12 \cdot 0.2 \cdot 0.2 \cdot
# 0.8 = 0.016$ for B. The **evidence** (证据) $p(x)$ is their sum, 0.0565, and Bayes' formula says that it was A with
# probability 0.0405 / 0.0565, a little more than seven in ten: this is the **posterior** (后验) $p(z \mid x)$.
#
# Two coins are easy. When $z$ is sixteen numbers the sum has no end, and nobody can compute the evidence. So one makes
# a guess $q(z)$ of the posterior, and computes a mean under the guess:
#
# $$\underbrace{\mathbb{E}_{q}\,[\log p(x, z) - \log q(z)]}_{\text{ELBO}}
# = \log p(x) - \mathrm{KL}\big(q(z) \,\|\, p(z \mid x)\big) \tag{5.1}$$
#
# To see it, write $p(x, z) = p(x)\, p(z \mid x)$ on the left. A KL is never negative, so the left side is a lower bound
# of the log evidence: the **evidence lower bound** (证据下界, ELBO). In code, `bound`. It needs nothing that we do
# not have.
#
# *Predict 1.* You have not looked at the throws and guess "A or B, half and half". How far below the truth is the bound:
# nothing, a tenth of a nat, a whole nat?


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
# *Answer 1.* A tenth. What you lose is not how wrong the guess is about *this* coin but a KL, and near its best point
# a KL is flat. It is steep only at the ends: to be *sure* of the wrong thing is what costs.
#
# So (5.1) has two readings. Move $q$ upwards on the hill, and you have found the posterior without ever computing it.
# Or move the coins, and the bound pulls the evidence up with it. A VAE does both at once, with numbers for coins. The
# bound is then written in another way: put $p(x, z) = p(z)\, p(x \mid z)$ into (5.1),
#
# $$\text{ELBO} = \mathbb{E}_q \log p(x \mid z) - \mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big) \tag{5.2}$$
#
# *Draw well what you were shown, and say as little as you can in $z$.* This is `vae.elbo`. Here $q(z \mid x)$ is an
# **encoder** (编码器), which looks at $x$, and $p(x \mid z)$ a **decoder** (解码器).
#
# Is the gap a KL for *every* encoder, good or bad? Now a world of numbers where the evidence is known: $z$ is two
# numbers from $N(0, I)$, and $x = W z + s\, \varepsilon$ three, with fresh noise $\varepsilon$. Evidence and posterior
# are normal distributions. Two hundred encoders that somebody threw together at random have to say what they think.

# %%
from torch.distributions import MultivariateNormal, kl_divergence

from aigc.models import vae

W, s = torch.randn(3, 2, generator=dice(1)).double(), 0.7
precision = torch.eye(2) + W.T @ W / s**2  # of the posterior, the inverse of its covariance
seen = MultivariateNormal(torch.zeros(3).double(), W @ W.T + s**2 * torch.eye(3))


def exact_elbo(x: torch.Tensor, mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """(5.2) without dice: of a normal z, the mean of log p(x | z) has a closed form. x: (B, 3); mu, logvar: (B, 2)."""
    blur = (logvar.exp() * W.square().sum(0)).sum(1) / (2 * s**2)  # what is lost since z is not sure
    drawn = vae.reconstruction(x, mu @ W.T, torch.tensor(s).double().log())
    return drawn - blur - vae.kl(mu, logvar)


x = W @ torch.tensor([1.0, -0.5]).double() + 0.3
many = torch.randn(200, 4, generator=dice(2)).double()
mu, logvar = many[:, :2], many[:, 2:]
true = MultivariateNormal(torch.linalg.solve(precision, W.T @ x / s**2), torch.linalg.inv(precision))
guesses = MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
gap = seen.log_prob(x) - exact_elbo(x.expand(200, 3), mu, logvar)
assert torch.allclose(gap, kl_divergence(guesses, true))  # (5.1), for each of the 200
print(f"the gaps go from {gap.min():.2f} to {gap.max():.1f} nats, and each is the KL of its encoder")
assert gap.min() > 0

# %% [markdown]
# Each gap is its KL to the last digit. No encoder was *right*, and the bound of each was valid: to be wrong makes the
# bound loose, never false. That is why one may train with it.
#
# ### Two gaps, two causes
#
# What can make an encoder bad? Take $z$ one number, and let the decoder square it: $x = z^2 + 0.3\, \varepsilon$. Who
# sees $x = 4$ knows that $z$ was near 2 or near $-2$, and cannot know which. Our $q$ is one bell. The best that a
# bell can do is to choose a side, and the price of that choice is $\log 2$, one bit, whoever makes it. A second price
# comes in because one *network* has to answer for all $x$: it may be too stiff for the right answers. The first is
# called the approximation gap, the second the **amortisation gap** (摊销差距; Cremer et al. 2018). To tell them apart,
# we let 128 values of $x$ each have a bell of its own, and then ask two encoders, a straight line and a small net.

# %%
node, weight = np.polynomial.hermite_e.hermegauss(32)  # E f(e) for a normal e is a sum of 32 terms
node, weight = torch.tensor(node), torch.tensor(weight / weight.sum())
z = torch.linspace(-5, 5, 4001, dtype=torch.float64)
prior = torch.distributions.Normal(0.0, 1.0)
x = torch.randn(128, generator=dice(3)).double().square() + 0.3 * torch.randn(128, generator=dice(4)).double()
log_joint = prior.log_prob(z) + torch.distributions.Normal(z.square(), 0.3).log_prob(x[:, None])
truth = log_joint.logsumexp(1) + math.log(z[1] - z[0])  # log p(x), by a sum over a fine ruler


def square_elbo(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    drawn = mu[:, None] + (logvar / 2).exp()[:, None] * node
    likely = torch.distributions.Normal(drawn.square(), 0.3).log_prob(x[:, None]) @ weight
    return likely - vae.kl(mu[:, None], logvar[:, None])


def gap_of(encoder: nn.Module | nn.Parameter, ask) -> torch.Tensor:
    """Trains the encoder; returns how far its bound stays below the evidence, in nats, for each x."""
    optimizer = torch.optim.Adam([encoder] if isinstance(encoder, nn.Parameter) else encoder.parameters(), lr=0.03)
    for _ in range(600):
        optimizer.zero_grad()
        (-square_elbo(*ask(encoder)).mean()).backward()
        optimizer.step()
    return (truth - square_elbo(*ask(encoder))).detach()


# %%
own = nn.Parameter(torch.stack([x.clamp(min=0.1).sqrt(), torch.full_like(x, -2)], 1))
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 2)).double()
line = nn.Linear(1, 2).double()
asked = lambda encoder: encoder(x[:, None]).unbind(1)
gaps = {
    "a bell for each x": gap_of(own, lambda own: own.unbind(1)),
    "a small net": gap_of(net, asked),
    "a straight line": gap_of(line, asked),
}

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for color, marker, (name, nats) in zip((show.INK, show.WATER, show.SUNSET), "o^s", gaps.items()):
    ax.plot(x, nats, marker, color=color, ms=4, label=f"{name}: {nats.mean():.2f} on average")
ax.axhline(math.log(2), color=show.DUSK, ls="--")
ax.text(3.2, math.log(2) - 0.45, "log 2", color=show.DUSK)
ax.set(xlabel="x", ylabel="evidence less bound, nats", ylim=(0, 6), xlim=(-0.8, 6))
ax.legend(loc="upper right")
show.figure(
    fig,
    alt="The gap against x. A bell for each x rises from 0 to log 2 and stays there; the small net lies on it, or a little "
    "above; the line lies far above it.",
)

# %%
own_gap, net_gap, line_gap = (nats.mean().item() for nats in gaps.values())
assert (gaps["a bell for each x"][x > 1] - math.log(2)).abs().max() < 0.03
assert own_gap < net_gap + 1e-3 < line_gap
course.expect("05.amortisation", line_gap - own_gap, baseline=net_gap - own_gap)

# %% [markdown]
# The dark dots are what one bell costs: nothing near zero, where both sides run together, and $\log 2$ from $x = 1$ on.
# No training removes it. The small net lies on them but where they bend; the line is too stiff for a root. A better
# network closes the second gap only.
#
# ### When the code falls silent
#
# The strangest failure of a VAE is to be content without $z$. The encoder says the same about everything, $q(z \mid x) =
# p(z)$, the KL is zero, and the decoder draws its one mean. It is called **posterior collapse** (后验坍缩), and one
# often reads that the KL in (5.2) is to blame, or bad luck in training. In a linear world we can see what is. Let $x$
# be one number of variance $\lambda$, and $x = w z + s\, \varepsilon$ the model, where the decoder's spread $s$ has
# been chosen beforehand. The evidence is $N(0, w^2 + s^2)$; it is highest where $w^2 + s^2 = \lambda$. So
#
# $$w^2 = \max(0,\ \lambda - s^2), \qquad \mathrm{KL} = \tfrac12 \log \max(1,\ \lambda / s^2) \tag{5.3}$$
#
# (Lucas et al. 2019). These are `silence`, below. As soon as the decoder takes $s^2 > \lambda$ for noise, all of $x$
# *is* noise to it, and nothing is left to say. There is no better optimum to be missed.
#
# A second cause looks different. Let the decoder see something else from which half of $x$ can be guessed: the pixel to
# the left, the label, the note before. If the correlation is $\rho$, what is left to say has the variance $\lambda (1 -
# \rho^2)$.
#
# *Predict 2.* $\lambda = 1$, and the decoder is told something with $\rho = 0.8$. At which $s$ does its code fall silent?
# We train forty models at once by the exact bound, twenty of each kind.


# %%
def silence(left: float, s: np.ndarray) -> np.ndarray:
    """The KL at the best w of (5.3), in nats. left: the variance that is left to say."""
    return 0.5 * np.log(np.maximum(1, left / s**2))


def trained(left: float, s: torch.Tensor) -> torch.Tensor:
    """The KL after training the bound (5.2), a mean over all x, for each s at once."""
    w, u, logvar = (torch.full_like(s, start).requires_grad_() for start in (0.5, 0.5, -1.0))  # mu = u x
    optimizer = torch.optim.Adam([w, u, logvar], lr=0.02)
    for _ in range(1500):
        optimizer.zero_grad()
        missed = ((1 - w * u).square() * left + w.square() * logvar.exp()) / (2 * s.square())
        said = 0.5 * (u.square() * left + logvar.exp() - 1 - logvar)
        (missed + said).sum().backward()  # minus the bound; log s is a constant here
        optimizer.step()
    return said.detach()


s = torch.linspace(0.1, 1.2, 20)
said = {name: trained(left, s) for name, left in (("alone", 1.0), ("told something", 1 - 0.8**2))}

# %%
fig, ax = plt.subplots()
ruler = np.linspace(0.08, 1.25, 200)
for (name, nats), left, color in zip(said.items(), (1.0, 1 - 0.8**2), (show.SUNSET, show.WATER)):
    ax.plot(ruler, silence(left, ruler), "--", color=show.DUSK, lw=1)
    ax.plot(s, nats, "o", color=color, label=f"decoder {name}")
    assert np.allclose(nats, silence(left, s.numpy()), atol=0.02)
ax.set(xlabel="spread s that the decoder takes for noise", ylabel="KL, nats said in z")
ax.legend()
show.figure(
    fig,
    alt="What is said in z falls with the spread s and is zero from s = 1 on; for a decoder that is told something, "
    "from 0.6 on. Trained models lie on the dashed formula.",
)

# %% [markdown]
# *Answer 2.* At 0.6, the root of $1 - 0.64$. Every dot lies on (5.3), on the silent side too. Nobody was unlucky. If a
# code is silent, ask what the decoder takes for noise and what else it is told. Chapter 08's decoder learns its $s$ and
# finds a small one; its code says a lot. (In deeper nets training can *also* get stuck early, with a decoder that has
# learnt to do without; that one is bad luck.)
#
# One thing was left out: our bounds were calculated without dice. A real decoder is a network, and the mean over $q$ in
# (5.2) has no formula. It has to be drawn, and then we need the slope of a mean of something random.
