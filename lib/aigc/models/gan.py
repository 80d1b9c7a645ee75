"""A generative adversarial network: a forger G against a detective D (Goodfellow et al. 2014, arXiv:1406.2661).

D gives each example a score, the logit of "real". A game is a pair of losses, what D and what G want of these scores.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import normalize, relu, softplus
from torch.nn.utils.parametrize import register_parametrization


@dataclass(frozen=True)
class Config:
    shape: tuple[int, ...] = (2,)  # of an example: (d,), a point with d coordinates, or (1, 28, 28), an image
    noise: int = 2  # numbers in z
    width: int = 64  # of a hidden layer; channels of an image at half its size, twice as many at a quarter
    labels: int = 0  # kinds of images, of which both players are told (Mirza & Osindero 2014); 0: they are not
    spectral: bool = False  # D's weights, as matrices, stretch by about 1 at most (Miyato et al. 2018)
    statistic: bool = False  # D sees how much the examples of a batch differ (Karras et al. 2018)

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))  # a card holds it as a list
        known = len(self.shape) == 1 and self.shape[0] > 0 or self.shape == (1, 28, 28)
        if not known or self.noise < 1 or self.width < 1:
            raise ValueError(f"shape must be (d,) or (1, 28, 28), noise and width at least 1: {self}")
        if self.labels < 0 or self.labels and len(self.shape) == 1:
            raise ValueError(f"labels must be 0 or more, and 0 for points: {self}")


class GAN(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.G, self.D = Forger(config), Detective(config)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Which optimizer moves what: Muon the matrices of points between hidden layers, AdamW all else."""
        inside = [self.G.net[2], self.D.hidden[2]] if len(self.config.shape) == 1 else []
        matrices = [weight for layer in inside for weight in layer.parameters() if weight.ndim == 2]
        chosen = set(map(id, matrices))
        return {"muon": matrices, "adamw": [weight for weight in self.parameters() if id(weight) not in chosen]}

    @torch.no_grad()
    def draw(self, n: int, generator: Generator, labels: Tensor | None = None, wide: float = 1.0) -> Tensor:
        """n examples, (n, *shape), of noise from a CPU generator. labels: (n,) int64, where config has labels.

        wide: the deviation of the noise; below 1 examples are surer, and less various (after Brock et al. 2019,
        arXiv:1809.11096, who redraw what is too large).

        Raises ValueError for n < 1 or another number of labels."""
        if n < 1 or (labels is not None and len(labels) != n):
            raise ValueError(f"draw at least one example, with a label each or none: {n} and {labels}")
        z = wide * torch.randn(n, self.config.noise, generator=generator)
        return self.G(z.to(next(self.parameters()).device), labels)


class Forger(nn.Module):
    """G: noise (B, noise), and labels (B,) if it is told them, to examples (B, *shape); images lie in [-1, 1]."""

    def __init__(self, config: Config):
        super().__init__()
        c = config.width
        self.told = nn.Embedding(config.labels, config.noise) if config.labels else None
        if len(config.shape) == 1:
            ends = nn.Linear(config.noise, c), nn.Linear(c, config.shape[0])
            self.net = nn.Sequential(ends[0], nn.LeakyReLU(0.2), nn.Linear(c, c), nn.LeakyReLU(0.2), ends[1])
        else:
            self.net = nn.Sequential(
                nn.Linear(config.noise * (2 if config.labels else 1), 2 * c * 7 * 7), nn.Unflatten(1, (2 * c, 7, 7)),
                nn.LeakyReLU(0.2), nn.ConvTranspose2d(2 * c, c, 4, stride=2, padding=1),  # 7 -> 14
                nn.LeakyReLU(0.2), nn.ConvTranspose2d(c, 1, 4, stride=2, padding=1), nn.Tanh(),  # 14 -> 28
            )  # fmt: skip

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        check(self.told, labels)
        return self.net(z if labels is None else torch.cat([z, self.told(labels)], dim=1))


class Detective(nn.Module):
    """D: examples (B, *shape) to scores (B,), the logit of "real"; above 0 it would bet on real.

    Told the labels (B,), it adds how well its features fit to each (Miyato & Koyama 2018, arXiv:1802.05637, eq. 4).
    Points may have more axes in front, (..., B, d), where the layers are exchanged for ones that take them.
    """

    def __init__(self, config: Config):
        super().__init__()
        c, self.statistic = config.width, config.statistic
        if len(config.shape) == 1:
            layers, features = [nn.Linear(config.shape[0], c), nn.Linear(c, c)], c
            self.hidden = nn.Sequential(layers[0], nn.LeakyReLU(0.2), layers[1], nn.LeakyReLU(0.2))
        else:
            layers, features = [nn.Conv2d(1, c, 4, 2, 1), nn.Conv2d(c, 2 * c, 4, 2, 1)], 8 * c  # 28 -> 14 -> 7
            layers.append(nn.Linear(2 * c * 7 * 7, features))
            first, second, third = ([layer, nn.LeakyReLU(0.2)] for layer in layers)
            self.hidden = nn.Sequential(*first, *second, nn.Flatten(), *third)
        self.fit = nn.Embedding(config.labels, features) if config.labels else None
        if config.labels:
            nn.init.normal_(self.fit.weight, std=features**-0.5)
        self.last = nn.Linear(features + self.statistic, 1)
        if config.spectral:
            for layer in (*layers, self.last):
                register_parametrization(layer, "weight", Bounded(len(layer.weight)))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        check(self.fit, labels)
        h = features = self.hidden(x)
        if self.statistic:
            h = torch.cat([h, deviation(h)[..., None, None].expand(*h.shape[:-1], 1)], dim=-1)
        score = self.last(h).squeeze(-1)
        return score if labels is None else score + (features * self.fit(labels)).sum(-1)


def check(table: nn.Embedding | None, labels: Tensor | None) -> None:
    """Raises ValueError if labels are missing, or are given to a network that is not told them."""
    if (table is None) != (labels is None):
        raise ValueError("give labels to a network whose config has labels, and to no other")


class Bounded(nn.Module):
    """Divides a weight by its largest singular value, which it follows by one step of power iteration a call
    (Miyato et al. 2018, arXiv:1802.05957, algorithm 1). rows: (outputs,), or (S, outputs) for S weights in a stack."""

    def __init__(self, *rows: int):
        super().__init__()
        self.register_buffer("u", normalize(torch.randn(rows), dim=-1))

    def forward(self, weight: Tensor) -> Tensor:
        matrix = weight.reshape(*self.u.shape, -1)
        with torch.no_grad():
            u = normalize(self.u, dim=-1)  # of length 1 again where a moving average has shortened it
            v = normalize(torch.einsum("...oi,...o->...i", matrix, u), dim=-1)
            if self.training:
                u = normalize(torch.einsum("...oi,...i->...o", matrix, v), dim=-1)
                self.u.copy_(u)  # the graph keeps u, the value of now
        largest = torch.einsum("...o,...oi,...i->...", u, matrix, v).clamp(min=1e-12)  # a weight of zeros stays zero
        return (matrix / largest[..., None, None]).view_as(weight)


def deviation(h: Tensor) -> Tensor:
    """The standard deviation of each feature over the batch, averaged (Karras et al. 2018, arXiv:1710.10196,
    section 3): one number that says how varied a batch is. h: (..., B, C). Returns (...,)."""
    return (h.var(-2, correction=0) + 1e-8).sqrt().mean(-1)


# What D wants, of its scores for real and fake examples, (B,) each; and what G wants. The first three are in nats, the
# others in units of the score.


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-E log D(real) - E log(1 - D(fake)), D the sigmoid of a score (Goodfellow et al. 2014, eq. 1, negated)."""
    return softplus(-real).mean() + softplus(fake).mean()


def saturating(fake: Tensor) -> Tensor:
    """E log(1 - D(fake)) (Goodfellow et al. 2014, eq. 1): flat where D is sure that they are fakes."""
    return -softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """-E log D(fake) (Goodfellow et al. 2014, section 3): flat where D takes them for real."""
    return softplus(-fake).mean()


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 - real) + E max(0, 1 + fake) (Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, eq. 16)."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """E fake - E real (Arjovsky et al. 2017, arXiv:1701.07875, eq. 2, negated); D's slope must be bounded elsewhere."""
    return fake.mean() - real.mean()


def score(fake: Tensor) -> Tensor:
    """-E fake: G's loss in the hinge game and in Wasserstein's."""
    return -fake.mean()


GAMES: dict[str, tuple[Callable, Callable]] = {
    "saturating": (cross_entropy, saturating),
    "non-saturating": (cross_entropy, non_saturating),
    "hinge": (hinge, score),
    "wasserstein": (wasserstein, score),
}


def slopes(D: nn.Module, x: Tensor) -> Tensor:
    """The squared norm of the gradient of D's score at each example, (B,), with a graph. x: (B, *shape).

    Raises ValueError if D gives another number of scores than one an example.
    """
    x = x.detach().requires_grad_()
    scores = D(x)
    if not 0 < scores.ndim < x.ndim or scores.shape != x.shape[: scores.ndim]:
        raise ValueError(f"D must give one score an example, not {tuple(scores.shape)} for {tuple(x.shape)}")
    gradient = torch.autograd.grad(scores.sum(), x, create_graph=True)[0]
    return gradient.flatten(scores.ndim).square().sum(-1)


def r1(D: nn.Module, real: Tensor) -> Tensor:
    """Half the mean squared slope of D at real examples (Mescheder et al. 2018, arXiv:1801.04406, eq. 9, gamma = 1)."""
    return slopes(D, real).mean() / 2


def gradient_penalty(D: nn.Module, real: Tensor, fake: Tensor, t: Tensor) -> Tensor:
    """How far D's slope is from 1 between real and fake: E (|slope| - 1)^2 at the point t of the line from fake to real
    (Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, lambda = 1). real, fake: (B, *shape); t: (B,), drawn in [0, 1].

    Raises ValueError if real and fake differ in shape.
    """
    if real.shape != fake.shape:
        raise ValueError(f"as many fake examples as real ones: {tuple(real.shape)} and {tuple(fake.shape)}")
    t = t.view(*t.shape, *[1] * (real.ndim - t.ndim))
    slope = (slopes(D, t * real + (1 - t) * fake) + 1e-12).sqrt()  # a root has no slope at zero
    return (slope - 1).square().mean()


def loss(
    gan: nn.Module,
    real: Tensor,
    generator: Generator,
    game: str = "non-saturating",
    gamma: float = 0,
    lam: float = 0,
    labels: Tensor | None = None,
    change: Callable[[Tensor, Generator], Tensor] | None = None,
) -> Iterator[tuple[nn.Module, Tensor]]:
    """One step of the game, in turns as `train` takes them: first D and what it wants, then G and what it wants.

    gan: has D, G and config. real: (B, *shape); as many are forged, and both turns look at the same ones. game: a key
    of GAMES. gamma and lam: the weights of R1 and of the gradient penalty, which Wasserstein's game cannot do without.
    labels: (B,) of the real examples; the forged ones have the same. change: disturbs all that D looks at, real and
    forged, so that it cannot know few real ones by heart (Zhao et al. 2020, arXiv:2006.10738). Raises KeyError for
    another game, ValueError for real examples of another shape, or none.
    """
    if game not in GAMES:
        raise KeyError(f"{game!r} is none of {list(GAMES)}")
    detective, forger = GAMES[game]
    many = real.ndim - len(gan.config.shape)  # axes that count examples
    if many < 1 or real.shape[many:] != gan.config.shape or real.numel() == 0:
        shape = ", ".join(map(str, gan.config.shape))
        raise ValueError(f"real examples must be (B, {shape}) with B >= 1, not {tuple(real.shape)}")
    told = () if labels is None else (labels,)
    look = lambda x: gan.D(x if change is None else change(x, generator), *told)
    fake = gan.G(torch.randn(*real.shape[:many], gan.config.noise, generator=generator).to(real.device), *told)
    value = detective(look(real), look(fake.detach()))  # detached: what D learns must not move G
    if gamma:
        value = value + gamma * r1(look, real)
    if lam:
        t = torch.rand(real.shape[:many], generator=generator).to(real.device)
        value = value + lam * gradient_penalty(look, real, fake.detach(), t)
    yield gan.D, value
    yield gan.G, forger(look(fake))
