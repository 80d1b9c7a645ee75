"""The game of forger and detective, in worlds where its value, its slopes and its best replies are known."""

import math

import pytest
import torch
from torch import nn

from aigc import train
from aigc.models import gan
from aigc.models.gan import GAN, Bounded, Config, Detective

X = torch.linspace(-15, 15, 60_001, dtype=torch.float64)  # a ruler for quadrature
POINTS, IMAGES = Config(shape=(3,), noise=5, width=7), Config(shape=(1, 28, 28), noise=5, width=3)


def normal(mean, std):
    return (-0.5 * ((X - mean) / std) ** 2).exp() / (std * math.sqrt(2 * math.pi))


def integral(values):
    return torch.trapezoid(values, X).item()


def kl(p, q):
    return integral(p * (p / q).log())


def jsd(p, q):
    return kl(p, (p + q) / 2) / 2 + kl(q, (p + q) / 2) / 2


def value(p, q, scores):
    """Minus what cross_entropy gives to a detective with these scores, by quadrature."""
    return -integral(p * nn.functional.softplus(-scores) + q * nn.functional.softplus(scores))


@pytest.mark.parametrize("mean, std", [(0, 1), (0.5, 1), (2, 1), (-1, 2), (3, 0.7)])
def test_the_best_detective_gives_twice_jsd_minus_log_four(mean, std):
    p, q = normal(0, 1), normal(mean, std)
    best = value(p, q, (p / q).log())  # the logit of p / (p + q)
    assert best == pytest.approx(2 * jsd(p, q) - math.log(4), abs=1e-9)
    for other in ((p / q).log() + 0.1, 0.9 * (p / q).log() - 0.01, torch.zeros_like(X)):
        assert value(p, q, other) <= best
    if (mean, std) == (0, 1):
        assert best == pytest.approx(-1.386294361119891, abs=1e-9)


def test_the_mean_over_drawn_examples_tends_to_the_value():
    p, q, dice = normal(0, 1), normal(2, 1), torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 400_000, generator=dice, dtype=torch.float64)
    best = lambda x: 2 - 2 * x  # log p / q
    assert -gan.cross_entropy(best(real), best(fake + 2)).item() == pytest.approx(value(p, q, best(X)), abs=0.005)


@pytest.mark.parametrize("a", [-3.0, 0.0, 2.0])
def test_slopes_of_each_loss_at_known_scores(a):
    sigma = 1 / (1 + math.exp(-a))
    scores = torch.full((7,), a, dtype=torch.float64, requires_grad=True)
    slope = lambda value: 7 * torch.autograd.grad(value, scores)[0][0].item()  # of one of seven
    zero = torch.zeros(7, dtype=torch.float64)
    assert slope(gan.saturating(scores)) == pytest.approx(-sigma)
    assert slope(gan.non_saturating(scores)) == pytest.approx(-(1 - sigma))
    assert slope(gan.score(scores)) == pytest.approx(-1)
    assert slope(gan.cross_entropy(scores, zero)) == pytest.approx(-(1 - sigma))
    assert slope(gan.cross_entropy(zero, scores)) == pytest.approx(sigma)
    assert slope(gan.hinge(scores, zero)) == -(a < 1) and slope(gan.hinge(zero, scores)) == (a > -1)
    assert slope(gan.wasserstein(scores, zero)) == pytest.approx(-1)
    assert slope(gan.wasserstein(zero, scores)) == pytest.approx(1)


def test_values_of_each_loss():
    real, fake = torch.tensor([2.0, -1.0]).double(), torch.tensor([0.5, -3.0]).double()
    log_d = lambda x: torch.sigmoid(x).log()
    expected = -(log_d(real).mean() + log_d(-fake).mean())
    assert torch.allclose(gan.cross_entropy(real, fake), expected)
    assert torch.allclose(gan.saturating(fake), log_d(-fake).mean())
    assert torch.allclose(gan.non_saturating(fake), -log_d(fake).mean())
    assert gan.hinge(real, fake).item() == (0 + 2) / 2 + (1.5 + 0) / 2
    assert gan.wasserstein(real, fake).item() == -1.25 - 0.5
    assert gan.cross_entropy(*torch.zeros(2, 3)).item() == pytest.approx(math.log(4))


def test_hinge_stands_still_at_plus_or_minus_one():
    """Where p and q are known, each place's best score is 1 where p is larger and -1 where q is (Lim & Ye 2017)."""
    p, q = 0.6, 0.3
    scores = torch.linspace(-3, 3, 601, dtype=torch.float64)
    cost = lambda p, q: p * (1 - scores).relu() + q * (1 + scores).relu()
    assert scores[cost(p, q).argmin()].item() == pytest.approx(1)
    assert scores[cost(q, p).argmin()].item() == pytest.approx(-1)
    at = torch.tensor([1.0 + 1e-6, 1.0 - 1e-6], dtype=torch.float64, requires_grad=True)  # about its corner
    (p * (1 - at).relu() + q * (1 + at).relu()).sum().backward()
    assert at.grad.tolist() == pytest.approx([q, q - p])  # uphill on both sides


def test_the_gradient_of_the_non_saturating_loss_is_that_of_kl_minus_two_jsd():
    """Arjovsky & Bottou 2017, theorem 2.5, with a forger who moves his mean."""
    p, mean, h = normal(0, 1), 1.3, 1e-4
    fixed = (p / normal(mean, 0.8)).log()  # the detective, the best one against the forger as he stands

    def slope(of):
        return (of(mean + h) - of(mean - h)) / (2 * h)

    loss = lambda m: integral(normal(m, 0.8) * nn.functional.softplus(-fixed))
    target = lambda m: kl(normal(m, 0.8), p) - 2 * jsd(p, normal(m, 0.8))
    assert slope(loss) == pytest.approx(slope(target), abs=1e-6) and abs(slope(loss)) > 0.1
    saturating = lambda m: -integral(normal(m, 0.8) * nn.functional.softplus(fixed))
    assert slope(saturating) == pytest.approx(slope(lambda m: 2 * jsd(p, normal(m, 0.8))), abs=1e-6)


@pytest.mark.parametrize("config", [POINTS, IMAGES], ids=["points", "images"])
def test_slopes_are_those_of_finite_differences(config):
    torch.manual_seed(0)
    D, x, h = Detective(config).double(), torch.randn(2, *config.shape).double(), 1e-6
    found = torch.zeros(2, dtype=torch.float64)
    for n in range(x[0].numel()):
        step = torch.zeros(x[0].numel(), dtype=torch.float64)
        step[n] = h
        step = step.view(config.shape)
        with torch.no_grad():
            found += ((D(x + step) - D(x - step)) / (2 * h)) ** 2
    assert torch.allclose(gan.slopes(D, x), found, rtol=1e-5)
    assert gan.r1(D, x).item() == pytest.approx(found.mean().item() / 2, rel=1e-5)


def test_penalties_of_a_plane_and_of_a_bowl():
    x, y = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0)).double()
    t = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).double()
    plane = lambda x: x @ torch.tensor([3.0, 4.0]).double()  # its slope is 5 everywhere
    assert gan.r1(plane, x).item() == pytest.approx(25 / 2)
    assert gan.gradient_penalty(plane, x, y, t).item() == pytest.approx(16)
    bowl = lambda x: x.square().sum(-1) / 2  # its slope is the distance from the middle
    between = t[:, None] * x + (1 - t)[:, None] * y
    assert gan.gradient_penalty(bowl, x, y, t).item() == pytest.approx((between.norm(dim=1) - 1).square().mean().item())
    flat = nn.Linear(2, 1).double()
    nn.init.zeros_(flat.weight)
    gan.gradient_penalty(lambda x: flat(x)[:, 0], x, y, t).backward()
    assert flat.weight.grad.isfinite().all()


def test_penalties_teach_the_detective():
    torch.manual_seed(0)
    D, x = Detective(POINTS).double(), torch.randn(4, 3).double()
    gan.r1(D, x).backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in D.modules() if isinstance(layer, nn.Linear))


@pytest.mark.parametrize("config", [POINTS, IMAGES], ids=["points", "images"])
def test_spectral_normalisation_divides_by_the_largest_singular_value(config):
    torch.manual_seed(0)
    D = Detective(Config(config.shape, config.noise, config.width, spectral=True)).double().train()
    x = torch.randn(2, *config.shape).double()
    for _ in range(300):  # a step of the power iteration each
        D(x)
    D.eval()
    before = {name: buffer.clone() for name, buffer in D.named_buffers()}
    layers = [layer for layer in D.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    assert len(layers) == (3 if config is POINTS else 4)
    for layer in layers:
        original = layer.parametrizations.weight.original.flatten(1)
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-6)
        largest = torch.linalg.matrix_norm(original, 2)
        assert torch.allclose(layer.weight.flatten(1), original / largest, atol=1e-6)
    D(x)
    assert all(torch.equal(before[name], buffer) for name, buffer in D.named_buffers())  # eval follows nothing
    if config is POINTS:
        assert gan.slopes(D, torch.randn(500, 3).double()).max() <= 1 + 1e-6


def test_a_stack_of_weights_is_divided_one_by_one():
    torch.manual_seed(0)
    weights, bounded = torch.randn(3, 5, 7).double(), Bounded(3, 5).double()
    for _ in range(300):
        bounded(weights)
    largest = torch.linalg.matrix_norm(weights, 2)
    assert torch.allclose(bounded(weights), weights / largest[:, None, None], atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_a_vector_that_an_average_has_shortened_gives_the_same_weight(training):
    torch.manual_seed(0)
    weights, bounded = torch.randn(3, 5, 7).double(), Bounded(3, 5).double()
    for _ in range(300):
        bounded(weights)
    bounded.train(training)
    expected = bounded(weights)
    bounded.u *= 0.3
    assert torch.allclose(bounded(weights), expected)
    assert bounded(0 * weights).abs().max() == 0  # and a weight of zeros is no nan


def test_a_bounded_detective_looks_twice_before_it_learns():
    torch.manual_seed(0)
    D = Detective(Config((3,), width=7, spectral=True))
    gan.cross_entropy(*map(D, torch.randn(2, 4, 3))).backward()
    assert all(weight.grad.isfinite().all() for weight in D.parameters())


def test_the_gradient_knows_that_the_weight_is_divided():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(3, 5).double())
    bounded = Bounded(3).double()
    for _ in range(300):
        bounded(weight)
    exact = lambda w: w / torch.linalg.matrix_norm(w, 2)
    probe = torch.randn(3, 5).double()
    ours, theirs = (torch.autograd.grad((f(weight) * probe).sum(), weight)[0] for f in (bounded, exact))
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert abs((ours * weight).sum().item()) < 1e-6  # a longer weight is the same weight


def test_the_deviation_of_a_batch():
    h = torch.tensor([[0.0, 5.0], [2.0, 5.0]]).double()
    assert gan.deviation(h).item() == pytest.approx(0.5, abs=1e-4)  # one feature deviates by 1, the other not at all
    assert gan.deviation(torch.stack([h, 3 * h, 0 * h])).tolist() == pytest.approx([0.5, 1.5, 0], abs=1e-3)
    torch.manual_seed(0)
    D = Detective(Config((3,), width=7, statistic=True)).double()
    x = torch.randn(5, 3).double()
    one = D(x)
    x[4] += 1
    assert (D(x)[:4] != one[:4]).all()  # each score now depends on the company
    plain = Detective(Config((3,), width=7)).double()
    assert torch.equal(plain(x)[:4], plain(x[:4]))


def test_the_deviation_of_a_constant_batch_can_be_learnt_from():
    h = torch.ones(4, 3, requires_grad=True)
    gan.deviation(h).backward()
    assert h.grad.isfinite().all()


def test_the_statistic_of_images():
    torch.manual_seed(0)
    D = Detective(Config(IMAGES.shape, width=3, statistic=True)).double()
    x = torch.randn(5, *IMAGES.shape).double()
    expected = D.last(torch.cat([D.hidden(x), gan.deviation(D.hidden(x)).expand(5, 1)], dim=-1))[:, 0]
    assert D(x).shape == (5,) and torch.allclose(D(x), expected)


def test_games_by_name():
    assert gan.GAMES == {
        "saturating": (gan.cross_entropy, gan.saturating),
        "non-saturating": (gan.cross_entropy, gan.non_saturating),
        "hinge": (gan.hinge, gan.score),
        "wasserstein": (gan.wasserstein, gan.score),
    }


def turns(model, real, **options):
    return gan.loss(model, real, torch.Generator().manual_seed(1), **options)


@pytest.mark.parametrize("options", [*({"game": game} for game in gan.GAMES), {"gamma": 1.0}, {"lam": 10.0}])
@pytest.mark.parametrize("config", [POINTS, IMAGES], ids=["points", "images"])
def test_a_turn_of_one_leaves_the_other_untouched(config, options):
    torch.manual_seed(0)
    model, real = GAN(config), torch.rand(4, *config.shape)
    game = lambda gan_, step, generator: gan.loss(gan_, real, generator, **options)
    parts = []

    def watched(model, step, generator):
        for part, value in game(model, step, generator):
            before = {name: weight.clone() for name, weight in model.named_parameters()}
            yield part, value
            moved = {name[0] for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
            parts.append((part, moved))

    history = train.train(model, watched, train.Recipe(steps=2, lr=0.01), progress=False)
    assert parts == [(model.D, {"D"}), (model.G, {"G"})] * 2
    assert all(math.isfinite(value) for pair in history for value in pair)


def test_the_detectives_gradient_does_not_reach_the_forger():
    model, real = GAN(POINTS), torch.rand(4, 3)
    for options in ({}, {"gamma": 1.0}, {"lam": 10.0}):
        _, value = next(turns(model, real, **options))
        value.backward()
        assert all(weight.grad is None for weight in model.G.parameters())
        assert all(weight.grad is not None for weight in model.D.parameters())


def test_the_weights_of_the_penalties_count():
    torch.manual_seed(0)
    model, real = GAN(POINTS), torch.rand(4, 3)
    plain, with_r1, with_both = (
        next(turns(model, real, **o))[1] for o in ({}, {"gamma": 3.0}, {"gamma": 3.0, "lam": 2.0})
    )
    assert (with_r1 - plain).item() == pytest.approx(3 * gan.r1(model.D, real).item(), abs=1e-6)
    assert with_both > with_r1


def test_the_gradient_penalty_is_charged_between_real_and_fake():
    torch.manual_seed(0)
    seen, model, real = [], GAN(POINTS), torch.rand(4, 3)
    _, plain = next(turns(model, real))
    hook = model.D.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    _, charged = next(turns(model, real, lam=2.0))
    hook.remove()
    dice = torch.Generator().manual_seed(1)
    fake = model.G(torch.randn(4, 5, generator=dice)).detach()  # first the forgeries are drawn, then t
    t = torch.rand(4, generator=dice)
    assert len(seen) == 3 and torch.allclose(seen[2], t[:, None] * real + (1 - t)[:, None] * fake)
    penalty = gan.gradient_penalty(model.D, real, fake, t)
    assert (charged - plain).item() == pytest.approx(2 * penalty.item(), abs=1e-6)


def test_a_stack_of_batches_plays_as_each_of_them_alone():
    torch.manual_seed(0)
    model = GAN(Config((3,), noise=5, width=7, statistic=True))
    real, dice = torch.randn(2, 4, 3), torch.Generator().manual_seed(1)
    fake, t = model.G(torch.randn(2, 4, 5, generator=dice)), torch.rand(2, 4, generator=dice)
    assert torch.allclose(gan.slopes(model.D, real), torch.stack([gan.slopes(model.D, part) for part in real]))
    (_, for_D), (_, for_G) = turns(model, real, gamma=3.0, lam=2.0)
    alone = torch.zeros(2)
    for part, made, at in zip(real, fake, t):
        penalties = 3 * gan.r1(model.D, part) + 2 * gan.gradient_penalty(model.D, part, made, at)
        alone[0] += (gan.cross_entropy(model.D(part), model.D(made)) + penalties).item() / 2
        alone[1] += gan.non_saturating(model.D(made)).item() / 2
    assert alone.tolist() == pytest.approx([for_D.item(), for_G.item()], rel=1e-5)


def test_both_turns_look_at_the_same_forgeries():
    seen = []
    model, real = GAN(POINTS), torch.rand(4, 3)
    model.D.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    list(turns(model, real))
    assert len(seen) == 3 and torch.equal(seen[0], real) and torch.equal(seen[1], seen[2])


@pytest.mark.parametrize("config", [POINTS, IMAGES], ids=["points", "images"])
def test_shapes_draws_and_groups(config):
    torch.manual_seed(0)
    model = GAN(config)
    made = model.draw(2, torch.Generator().manual_seed(3))
    assert made.shape == (2, *config.shape) and not made.requires_grad and model.D(made).shape == (2,)
    assert torch.equal(made, model.draw(2, torch.Generator().manual_seed(3)))
    if config is IMAGES:
        assert made.abs().max() <= 1 and made.min() < 0
    slopes = gan.slopes(model.D, torch.randn(5, *config.shape))
    assert slopes.max() > 1.01 * slopes.min() > 0  # D is bent
    groups = model.groups()
    assert sorted(map(id, groups["muon"] + groups["adamw"])) == sorted(map(id, model.parameters()))
    with pytest.raises(ValueError, match="at least one"):
        model.draw(0, torch.Generator())


@pytest.mark.parametrize("config", [POINTS, Config((3,), noise=7, width=7), Config((3,), 5, 7, spectral=True)])
def test_muon_moves_the_matrices_between_hidden_layers_and_no_others(config):
    model = GAN(config)
    first, second = model.groups()["muon"]  # also where noise and width are equal
    assert first is model.G.net[2].weight and second.shape == (7, 7)
    assert second is (
        model.D.hidden[2].parametrizations.weight.original if config.spectral else model.D.hidden[2].weight
    )


TOLD = Config(IMAGES.shape, noise=5, width=3, labels=4)


def test_both_players_are_told_the_label_of_their_own_image():
    torch.manual_seed(0)
    model, y, other = GAN(TOLD), torch.tensor([0, 1]), torch.tensor([0, 2])
    made = model.draw(2, torch.Generator().manual_seed(3), y)
    for before, after in (
        (made, model.draw(2, torch.Generator().manual_seed(3), other)),
        (model.D(made, y), model.D(made, other)),
    ):
        assert torch.allclose(before[0], after[0]) and not torch.allclose(before[1], after[1])
    features, fit = model.D.hidden(made), model.D.fit.weight
    expected = [model.D.last(f).item() + (f @ fit[label]).item() for f, label in zip(features, y)]
    assert model.D(made, y).tolist() == pytest.approx(expected, abs=1e-5)
    game = turns(model, torch.rand(2, *IMAGES.shape), labels=y, gamma=1.0, lam=1.0)
    for part, value in game:
        value.backward(inputs=list(part.parameters()))
    assert model.G.told.weight.grad[:2].abs().max() > 0 == model.G.told.weight.grad[2:].abs().max()
    assert model.D.fit.weight.grad[:2].abs().max() > 0 == model.D.fit.weight.grad[2:].abs().max()


def test_labels_that_are_missing_or_not_wanted_are_refused():
    x, y, dice = torch.rand(2, *IMAGES.shape), torch.tensor([0, 1]), torch.Generator()
    for config, labels in ((TOLD, None), (IMAGES, y)):
        for call in (lambda m: m.D(x, labels), lambda m: m.draw(2, dice, labels)):  # noqa: B023
            with pytest.raises(ValueError, match="whose config has labels"):
                call(GAN(config))
    with pytest.raises(ValueError, match="a label each"):
        GAN(TOLD).draw(3, dice, y)
    for wrong in (dict(labels=3), dict(shape=IMAGES.shape, labels=-1)):
        with pytest.raises(ValueError, match="0 for points"):
            Config(**wrong)


def test_all_that_the_detective_looks_at_is_disturbed_and_the_slope_is_taken_through_it():
    model, real, seen = GAN(POINTS), torch.rand(4, 3), []
    model.D.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    list(turns(model, real, change=lambda x, generator: 10 * x, gamma=1.0))
    assert torch.allclose(seen[0], 10 * real) and torch.equal(seen[1], seen[3]) and torch.allclose(seen[2], 10 * real)
    _, plain = next(turns(model, real, change=lambda x, generator: 10 * x))
    _, value = next(turns(model, real, change=lambda x, generator: 10 * x, gamma=1.0))
    assert (value - plain).item() == pytest.approx(100 * gan.r1(model.D, 10 * real).item(), rel=1e-4)


def test_wrong_shapes_and_games_are_refused():
    model = GAN(POINTS)
    for real in (torch.rand(4, 2), torch.rand(3), torch.rand(4, 1, 28, 28), torch.rand(0, 3), torch.rand(2, 0, 3)):
        with pytest.raises(ValueError, match=r"must be \(B, 3\)"):
            next(turns(model, real))
    with pytest.raises(KeyError, match="minimax.*saturating.*hinge"):
        next(turns(model, torch.rand(4, 3), game="minimax"))
    x = torch.rand(4, 3)
    for D in (nn.Linear(3, 1), lambda x: x, lambda x: x.sum(), lambda x: x[:2].sum(-1)):
        with pytest.raises(ValueError, match="one score an example"):
            gan.slopes(D, x)
    with pytest.raises(ValueError, match="as many fake"):
        gan.gradient_penalty(model.D, x, x[:1], torch.rand(4))
    for wrong in (dict(shape=()), dict(shape=(3, 28, 28)), dict(shape=(0,)), dict(noise=0), dict(width=0)):
        with pytest.raises(ValueError, match="shape must be"):
            Config(**wrong)
    assert Config(shape=[1, 28, 28]).shape == (1, 28, 28)


def test_a_forger_learns_where_the_coins_lie():
    torch.manual_seed(0)
    model = GAN(Config(shape=(1,), noise=1, width=16))
    real = lambda generator: 3 + 0.5 * torch.randn(64, 1, generator=generator)
    game = lambda model, step, generator: gan.loss(model, real(generator), generator, gamma=0.1)
    train.train(model, game, train.Recipe(steps=400, lr=0.005, momentum=0.0), progress=False)
    made = model.draw(2000, torch.Generator().manual_seed(1))
    assert made.mean().item() == pytest.approx(3, abs=0.3) and 0.25 < made.std().item() < 0.8
