"""Diffusion: its identities, in worlds where the truth can be calculated."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torch.func import grad, jvp

from aigc import sample
from aigc.models import diffusion, flow
from aigc.models.diffusion import Mixture, ddpm, noised, readings, straight

PATHS = [straight, ddpm]
TIMES = torch.tensor([0.05, 0.2, 0.5, 0.8, 0.95]).double()


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=dice(seed)).double()


@pytest.fixture
def world():
    """Three clouds of unequal size and weight in five dimensions."""
    return Mixture(2 * normal(3, 5), torch.tensor([0.3, 0.5, 0.7]), torch.tensor([0.5, 0.2, 0.3]))


@pytest.mark.parametrize("path", PATHS)
def test_a_path_goes_from_data_to_noise_at_the_rates_it_says(path):
    a, b, da, db = path(TIMES)
    found = jvp(lambda t: tuple(path(t)[:2]), (TIMES,), (torch.ones_like(TIMES),))[1]
    assert torch.allclose(da, found[0]) and torch.allclose(db, found[1])
    (a0, a1), (b0, b1) = (path(torch.tensor([0.0, 1.0]).double())[i] for i in (0, 1))
    assert a0 == 1 and b0 == 0 and a1 < 0.01 and b1 > 0.9999


def test_ddpm_is_the_thousand_steps_of_ho_et_al():
    a, b, *_ = ddpm(torch.arange(1, 1001).double() / 1000)
    alpha_bar = (1 - torch.linspace(1e-4, 0.02, 1000).double()).cumprod(0)
    assert torch.allclose(a.square(), alpha_bar, atol=2e-3) and torch.allclose(a.square() + b.square(), a / a)


@pytest.mark.parametrize("path", PATHS)
def test_noising_step_by_step_is_noising_at_once(path):
    times = torch.linspace(0, 0.7, 8).double()
    scale, variance = torch.tensor(1.0).double(), torch.tensor(0.0).double()
    for s, t in zip(times, times[1:]):  # x_t = r x_s + sqrt(b_t^2 - r^2 b_s^2) times fresh noise
        (a_s, b_s, *_), (a_t, b_t, *_) = path(s), path(t)
        r = a_t / a_s
        scale, variance = r * scale, r**2 * variance + (b_t**2 - r**2 * b_s**2)
    x0, eps, t = normal(2, 3), normal(2, 3, seed=1), torch.full((2,), 0.7).double()
    assert torch.allclose(noised(x0, eps, t, path), scale * x0 + variance.sqrt() * eps)


def test_the_straight_path_is_that_of_flow():
    x0, eps, t = normal(5, 1, 3, 7), normal(5, 1, 3, 7, seed=1), TIMES
    assert torch.allclose(noised(x0, eps, t, straight), flow.path(x0, eps, t))
    assert torch.allclose(readings(straight, flow.path(x0, eps, t), t, clean=x0).velocity, eps - x0)


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 1, 3, 7)])
@pytest.mark.parametrize("path", PATHS)
def test_each_reading_gives_the_other_three(path, shape):
    x0, eps = normal(*shape), normal(*shape, seed=1)
    x = noised(x0, eps, TIMES, path)
    a, b, da, db = diffusion.mix(path, TIMES, x)
    truth = diffusion.Readings(x0, eps, (a * x0 - x) / b**2, da * x0 + db * eps)
    for name, value in truth._asdict().items():
        for found, expected in zip(readings(path, x, TIMES, **{name: value}), truth):
            assert torch.allclose(found, expected, atol=1e-8), name


def test_another_number_of_readings_or_times_is_refused():
    x, t = normal(2, 3), torch.full((2,), 0.5).double()
    for wrong in ({}, dict(clean=x, noise=x), dict(sharp=x), dict(clean=x[:, :2])):
        with pytest.raises(ValueError, match="exactly one"):
            readings(straight, x, t, **wrong)
    with pytest.raises(ValueError, match="2 examples need a time each"):
        noised(x, x, t[:1], straight)
    with pytest.raises(ValueError, match="reading is one of"):
        diffusion.loss(lambda x, t: x, x, dice(), straight, "sharp")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("reading", diffusion.Readings._fields)
def test_the_loss_is_zero_for_who_knows_the_data_and_asks_for_its_reading(path, reading):
    x0, seen = normal(50, 3), []

    def knows(x, t):
        seen.append(t)
        return getattr(readings(path, x, t, clean=x0), reading)

    assert diffusion.loss(knows, x0, dice(), path, reading).item() < 1e-6
    assert diffusion.loss(lambda x, t: knows(x, t) + 2, x0, dice(), path, reading).item() == pytest.approx(4, abs=1e-3)
    assert 0 < seen[0].min() < 0.1 and 0.9 < seen[0].max() <= 1


@pytest.mark.parametrize("path", PATHS)
def test_tweedie_the_slope_of_the_log_density_is_the_score_of_the_mean(world, path):
    x = noised(world.draw(5, dice()).double(), normal(5, 5), TIMES, path)
    slope = grad(lambda x: world.log_density(x, TIMES, path).sum())(x)
    assert torch.allclose(readings(path, x, TIMES, clean=world.clean(x, TIMES, path)).score, slope)


def test_the_mean_is_that_of_what_could_have_been_and_the_density_integrates_to_one():
    world = Mixture(
        torch.tensor([[-1.0], [0.5]]).double(), torch.tensor([0.2, 0.4]).double(), torch.tensor([0.3, 0.7]).double()
    )
    x0, x = torch.linspace(-4, 4, 4001, dtype=torch.float64)[:, None], torch.tensor([[0.3], [-0.7]]).double()
    t, near = torch.full((4001,), 0.4, dtype=torch.float64), torch.zeros(4001).double()
    prior = world.log_density(x0, near, straight).exp()
    assert (prior.sum() * 0.002).item() == pytest.approx(1, abs=1e-6)
    assert (world.log_density(x0, t, straight).exp().sum() * 0.002).item() == pytest.approx(1, abs=1e-6)
    for point in x:  # Bayes' formula on a fine ruler
        weight = prior * (-0.5 * ((point - 0.6 * x0[:, 0]) / 0.4) ** 2).exp()
        expected = (weight * x0[:, 0]).sum() / weight.sum()
        assert world.clean(point[None], t[:1], straight).item() == pytest.approx(expected.item(), abs=1e-9)


def test_draws_have_the_density_that_is_said(world):
    x = world.draw(40_000, dice()).double()
    variance = (world.weights[:, None] * (world.means - world.weights @ world.means).square()).sum(0)
    assert torch.allclose(x.mean(0), world.weights.double() @ world.means, atol=0.05)
    assert torch.allclose(x.var(0), variance + (world.weights * world.variance).sum(), rtol=0.05)


def test_points_without_spread_are_remembered():
    points = normal(7, 3)
    world, t = Mixture(points, 0.0), torch.full((7,), 0.02).double()
    x = noised(points, normal(7, 3, seed=1), t, straight)
    assert torch.allclose(world.clean(x, t, straight), points, atol=1e-6)


def test_the_map_between_two_paths_is_one_of_time_and_scale(world):
    x = noised(world.draw(5, dice()).double(), normal(5, 5), TIMES, ddpm)
    a, b, *_ = ddpm(TIMES)
    on_the_line = world.clean(x / (a + b)[:, None], b / (a + b), straight)
    assert torch.allclose(on_the_line, world.clean(x, TIMES, ddpm))


@pytest.mark.parametrize("wrong", [dict(means=torch.zeros(3)), dict(std=-1.0), dict(weights=torch.ones(2) / 2)])
def test_impossible_mixtures_are_refused(wrong):
    with pytest.raises(ValueError, match="means must be"):
        Mixture(**dict(means=torch.zeros(3, 2), std=1.0) | wrong)
    with pytest.raises(ValueError, match="sum to one"):
        Mixture(torch.zeros(3, 2), 1.0, torch.ones(3))


# The way back. N(mean, std) has every answer in one line.

MEAN, STD = 2.0, 0.5


def clean(x, t, path=straight):
    a, b, *_ = diffusion.mix(path, t, x)
    return MEAN + a * STD**2 / (a**2 * STD**2 + b**2) * (x - a * MEAN)


def velocity(x, t):
    return readings(straight, x, t, clean=clean(x, t)).velocity


@pytest.mark.parametrize("order", [1, 2])
def test_half_the_step_leaves_half_the_error_or_a_quarter(order):
    start, end = torch.full((1, 1), 1.5).double(), MEAN + 1.5 * STD  # the flow of a normal distribution is linear
    error = [abs(sample.ode(velocity, start, steps, order).item() - end) for steps in (64, 128)]
    assert error[0] / error[1] == pytest.approx(2**order, rel=0.1)


def test_ddim_is_eulers_method_on_the_straight_path_whatever_the_coordinates():
    start, times = normal(50, 1), [0.99, 0.7, 0.45, 0.2, 0.01]
    for seven in (7, np.int64(7)):
        assert torch.allclose(sample.ddim(clean, start, seven, straight), sample.ode(velocity, start, seven, order=1))
    a, b, *_ = ddpm(torch.tensor(times).double())
    mapped = (b / (a + b)).tolist()
    curved = sample.ddim(lambda x, t: clean(x, t, ddpm), start * (a + b)[0], times, ddpm)
    assert torch.allclose(curved / (a + b)[-1], sample.ddim(clean, start, mapped, straight))
    assert torch.allclose(curved / (a + b)[-1], sample.ode(velocity, start, mapped, order=1))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_one_step_back_meets_the_distribution_whatever_is_drawn_anew(path, eta):
    """For who knows x0, a step keeps the marginals exactly: its variance is b^2 at the later time."""
    x0, t = torch.full((100_000, 1), 0.7).double(), torch.full((100_000,), 0.8).double()
    x = noised(x0, normal(100_000, 1), t, path)
    back = sample.ddim(lambda x, t: x0, x, [0.8, 0.3], path, eta, dice(1))
    a, b, *_ = path(torch.tensor(0.3).double())
    assert back.mean().item() == pytest.approx(0.7 * a.item(), abs=0.01)
    assert back.std().item() == pytest.approx(b.item(), rel=0.01)
    together = torch.corrcoef(torch.cat([x, back], 1).T)[0, 1].item()  # as in the chain: r b_s / b_t
    a_t, b_t, *_ = path(torch.tensor(0.8).double())
    r = (a_t / a * b / b_t).item()
    assert together == pytest.approx(math.sqrt(1 - eta**2 * (1 - r * r)), abs=0.01)


def test_a_step_to_the_data_draws_nothing_and_each_costs_one_call():
    calls, x = [], normal(5, 3)
    known = lambda x, t: calls.append(t[0].item()) or torch.ones_like(x)
    assert torch.equal(sample.ddim(known, x, 4, straight, 1.0, dice()), torch.ones(5, 3).double())
    assert calls == [1, 0.75, 0.5, 0.25]
    sample.ode(lambda x, t: calls.append(t[0].item()) or x, x, [0.9, 0.5], order=2)
    assert calls[4:] == [pytest.approx(0.9), pytest.approx(0.5)]


def test_langevin_rests_where_its_steps_say():
    """On N(0, 1), steps of size h end at the variance 1 / (1 - h / 4): above 1, by the steps' size alone."""
    for h in (0.1, 1.0):
        x = sample.langevin(lambda x: -x, torch.zeros(100_000, 1).double(), 60 if h == 1 else 400, h, dice())
        assert x.var().item() == pytest.approx(1 / (1 - h / 4), rel=0.015) and abs(x.mean().item()) < 0.02


def unlike(one, other):
    """The smallest p of four Kolmogorov-Smirnov tests, one along each of four directions of the plane."""
    along = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]]).double()
    return min(ks_2samp(one @ line, other @ line).pvalue for line in along)


@pytest.mark.parametrize("path", PATHS)
def test_the_exact_field_carries_the_base_to_the_data(path):
    """A test of two samples does not tell what came from noise from what came from the data; a wider cloud it does."""
    corners = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0]]).double()
    world = Mixture(corners, 0.2, torch.tensor([0.5, 0.3, 0.2]))
    best, noise = lambda x, t: world.clean(x, t, path), normal(8000, 2)
    flowing = lambda x, t: readings(path, x, t, clean=best(x, t)).velocity
    ways = [
        sample.ode(flowing, noise, (torch.linspace(1, 0.03, 60) ** 2).tolist()),
        sample.ddim(best, noise, 200, path),
        sample.ddim(best, noise, 200, path, 1.0, dice(1)),
    ]
    real = world.draw(8000, dice(2)).double()
    wide = Mixture(corners, 0.25, world.weights).draw(8000, dice(3)).double()
    assert unlike(real, wide) < 1e-6
    assert all(unlike(real, made) > 0.001 for made in ways), [unlike(real, made) for made in ways]


def test_impossible_ways_back_are_refused():
    x = torch.zeros(2, 3)
    for wrong in (0, [1.0], [1.5, 0.0]):
        for solver in (lambda w: sample.ode(velocity, x, w), lambda w: sample.ddim(clean, x, w, straight)):
            with pytest.raises(ValueError, match="steps must be at least 1"):
                solver(wrong)
    with pytest.raises(ValueError, match="order must be"):
        sample.ode(velocity, x, 3, order=3)
    with pytest.raises(ValueError, match="eta must lie"):
        sample.ddim(clean, x, 3, straight, 1.5)
    with pytest.raises(ValueError, match="times fall"):
        sample.ddim(clean, x, [0.2, 0.5], straight)
    for steps, size in ((0, 1.0), (1, 0.0), (1, math.inf)):
        with pytest.raises(ValueError, match="size positive"):
            sample.langevin(lambda x: x, x, steps, size)
