"""Rectified flow and its solver, in worlds where the velocity is known."""

import math

import pytest
import torch

from aigc import sample
from aigc.models import flow
from aigc.models.unet import Config, UNet, waves


def test_path_goes_straight_from_data_to_noise():
    x0, eps = torch.randn(2, 3, 1, 5, 7, generator=torch.Generator().manual_seed(0)).double().unbind(0)
    t = torch.tensor([0.0, 1.0, 0.25]).double()
    x = flow.path(x0, eps, t)
    assert torch.equal(x[0], x0[0]) and torch.equal(x[1], eps[1])
    assert torch.allclose(x[2], 0.75 * x0[2] + 0.25 * eps[2])


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 3, 7), (5, 1, 3, 7)])
def test_path_and_loss_take_points_series_and_images(shape):
    x0, eps = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).double().unbind(0)
    t = torch.linspace(0, 1, 5).double()
    x = flow.path(x0, eps, t)
    assert x.shape == shape and torch.allclose(x[3], 0.25 * x0[3] + 0.75 * eps[3])
    knows = lambda x, t, labels: (x - x0) / t.view(-1, *[1] * (x.ndim - 1))
    labels = torch.zeros(5, dtype=torch.int64)
    assert flow.loss(knows, x0, labels, torch.Generator().manual_seed(2)).item() < 1e-6


def test_loss_is_zero_for_the_true_velocity_and_the_variance_for_none():
    x0 = torch.randn(500, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(500, dtype=torch.int64)

    def knows(x, t, labels):  # x = x0 + t (eps - x0), and x0 is known here
        return (x - x0) / t.view(-1, 1, 1, 1)

    assert flow.loss(knows, x0, labels, torch.Generator().manual_seed(2)).item() < 1e-6
    none = flow.loss(lambda x, t, labels: torch.zeros_like(x), x0, labels, torch.Generator().manual_seed(2)).item()
    assert none == pytest.approx(2, abs=0.1)  # eps - x0 is the difference of two independent normal variables


def test_labels_are_dropped_at_their_rate_and_times_are_logit_normal():
    seen, times = [], []

    def watch(x, t, labels):
        seen.append(labels), times.append(t)
        return torch.zeros_like(x)

    x0, labels = torch.zeros(20_000, 1, 1, 1), torch.full((20_000,), 3)
    flow.loss(watch, x0, labels, torch.Generator().manual_seed(0), drop=0.1)
    assert set(seen[0].tolist()) == {3, flow.NO_LABEL}
    assert (seen[0] == flow.NO_LABEL).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert times[0].logit().mean().item() == pytest.approx(0, abs=0.03)
    assert times[0].logit().std().item() == pytest.approx(1, abs=0.03)
    flow.loss(watch, x0, labels, torch.Generator().manual_seed(0), drop=0.0, centre=0.5)
    assert (seen[1] == 3).all() and torch.allclose(times[1].logit(), times[0].logit() + 0.5, atol=1e-4)


def test_labels_of_other_types_are_told_and_of_other_numbers_refused():
    seen = []

    def watch(x, t, labels):
        seen.append(labels)
        return torch.zeros_like(x)

    x0, g = torch.zeros(200, 2), torch.Generator().manual_seed(0)
    flow.loss(watch, x0, torch.full((200,), 3, dtype=torch.uint8), g, drop=0.5)
    assert set(seen[0].tolist()) == {3, flow.NO_LABEL}
    for labels, drop in ((torch.zeros(1), 0.1), (torch.zeros(200, 1), 0.1), (torch.zeros(200), 10)):
        with pytest.raises(ValueError, match="200 examples need as many labels"):
            flow.loss(watch, x0, labels, g, drop=drop)


def test_solver_is_exact_for_a_constant_velocity_and_of_second_order():
    noise = torch.ones(1, 1, 1, 1).double()
    constant = sample.ode(lambda x, t: torch.full_like(x, 3.0), noise, 1)
    assert constant.item() == pytest.approx(-2)

    def error(steps):  # dx/dt = x t from t = 1 to 0: x(0) = exp(-1/2), but for the last step, which is Euler's
        return abs(sample.ode(lambda x, t: x * t.view(-1, 1, 1, 1), noise, steps).item() - math.exp(-0.5))

    assert 3 < error(16) / error(32) < 5  # half the step, a quarter of the error
    assert error(64) < 1e-3


def test_solver_counts_its_calls():
    calls = []
    sample.ode(lambda x, t: calls.append(t[0].item()) or x, torch.zeros(2, 1, 1, 1), 13)
    assert len(calls) == 2 * 13 - 1 and calls[0] == 1 and 0 not in calls
    with pytest.raises(ValueError, match="steps"):
        sample.ode(lambda x, t: x, torch.zeros(1, 1, 1, 1), 0)


class Answer(torch.nn.Module):
    """A network of one number, the same for all, that remembers nothing."""

    config, groups = Config(labels=11), dict

    def __init__(self, value=0.0):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value).double())

    def forward(self, x, t, labels):
        return self.value.expand_as(x)


def test_flow_carries_noise_to_a_gaussian_whose_velocity_is_known():
    mean, std = 2.0, 0.5
    exact = flow.Preconditioned(Answer(), mean, std)
    noise = torch.randn(20_000, 1, 1, 1, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        drawn = sample.ode(lambda x, t: exact(x, t, None), noise, 50)
    assert torch.allclose(drawn, mean + std * noise, atol=1e-2)  # each point keeps its rank
    assert drawn.mean().item() == pytest.approx(mean, abs=0.02)
    assert drawn.std().item() == pytest.approx(std, abs=0.02)


def test_what_a_preconditioned_network_has_to_learn_is_of_one_size_and_has_nothing_to_do_with_where_it_is():
    g, mean, std = torch.Generator().manual_seed(0), -0.7, 0.6
    x0, eps = mean + std * torch.randn(200_000, generator=g).double(), torch.randn(200_000, generator=g).double()
    guess, more = (flow.Preconditioned(Answer(value), mean, std) for value in (0.0, 1.0))
    for time in (0.01, 0.3, 0.7, 0.99):
        t = torch.full((200_000,), time).double()
        x = flow.path(x0, eps, t)
        with torch.no_grad():
            at, factor = guess(x, t, None), more(x, t, None) - guess(x, t, None)
        left = (eps - x0 - at) / factor  # what the network should say
        assert left.square().mean().item() == pytest.approx(1, abs=0.02)
        assert torch.corrcoef(torch.stack([left, x]))[0, 1].abs() < 0.01
    assert list(dict(guess.named_parameters())) == ["network.value"]


def test_guidance_interpolates_and_extrapolates():
    def model(x, t, labels):
        return labels.masked_fill(labels < 0, 10).view(-1, 1, 1, 1).double().expand_as(x)

    model.config = Config(labels=11)
    x, labels = torch.zeros(2, 1, 3, 5).double(), torch.tensor([2, 5])
    for scale, expected in ((0, [10, 10]), (1, [2, 5]), (3, [-14, -5])):
        assert sample.guided(model, labels, scale)(x, torch.ones(2))[:, 0, 0, 0].tolist() == expected
    asked = []
    counted = lambda x, t, labels: asked.append(len(x)) or model(x, t, labels)
    counted.config = model.config
    sometimes = sample.guided(counted, labels, 3, between=(0.25, 0.75))
    for t, expected in ((0.2, [2, 5]), (0.25, [-14, -5]), (0.75, [-14, -5]), (0.8, [2, 5])):
        assert sometimes(x, torch.full((2,), t))[:, 0, 0, 0].tolist() == expected
    assert asked == [2, 4, 4, 2]  # twice as many where it is pushed
    sample.guided(counted, labels, 1)(x, torch.ones(2))
    assert asked[4:] == [2]  # and not where the push is none
    for wrong in ((0.5, 0.4), (-0.1, 1), (0, 1.1)):
        with pytest.raises(ValueError, match="two times"):
            sample.guided(model, labels, 3, wrong)
    for wrong in (-1, math.inf, math.nan):
        with pytest.raises(ValueError, match="scale"):
            sample.guided(model, labels, wrong)
    for label in (11, 10, -1):
        with pytest.raises(ValueError, match=f"draws 0 .. 9, not {label}"):
            sample.guided(model, torch.tensor([3, label]), 1)


def test_guidance_away_from_a_weak_model_takes_an_error_away_that_both_share():
    truth = torch.randn(4, 1, 3, 5, generator=torch.Generator().manual_seed(0)).double()
    error, asked = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1)).double(), []
    model = lambda x, t, labels: asked.append(("model", labels.tolist())) or truth + error
    model.config = Config(labels=11)
    weak = lambda x, t, labels: asked.append(("weak", labels.tolist())) or truth + 3 * error
    labels, x, t = torch.arange(4), torch.zeros_like(truth), torch.full((4,), 0.5)
    for scale, left in ((1.2, 0.6), (1.5, 0.0), (2.0, -1.0)):  # 3 - 2 scale
        assert torch.allclose(sample.guided(model, labels, scale, away=weak)(x, t), truth + left * error)
    assert asked[:2] == [("model", [0, 1, 2, 3]), ("weak", [flow.NO_LABEL] * 4)]
    asked.clear()
    sample.guided(model, labels, 1.5, (0.6, 1.0), away=weak)(x, t)
    assert [name for name, _ in asked] == ["model"]  # outside the times the weak one is not asked


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    model = UNet(Config(labels=3, width=16)).double().eval()
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    return model


def test_new_unet_says_that_nothing_moves():
    x = torch.randn(2, 1, 12, 20)
    assert UNet(Config())(x, torch.rand(2), torch.tensor([1, 10])).abs().max() == 0


def test_unet_keeps_the_shape_and_depends_on_time_and_label_of_its_own_image(unet):
    x, t, y = torch.randn(2, 1, 12, 20).double(), torch.tensor([0.3, 0.6]).double(), torch.tensor([0, 1])
    out = unet(x, t, y)
    assert out.shape == x.shape
    for changed in (unet(x, torch.tensor([0.3, 0.7]).double(), y), unet(x, t, torch.tensor([0, 2]))):
        assert torch.allclose(changed[0], out[0]) and not torch.allclose(changed[1], out[1])
    corner = x.clone()
    corner[1, 0, 0, 0] += 1
    reached = (unet(corner, t, y) - out)[1, 0].abs()
    assert (reached > 0).all()  # the middle looks at everything


def test_a_square_of_pixels_becomes_four_channels_and_goes_back_to_its_place(unet):
    x, t, y = torch.randn(1, 1, 8, 12).double(), torch.tensor([0.3]).double(), torch.tensor([0])
    seen, h = [], unet.first.register_forward_hook(lambda module, args, out: seen.append(args[0]))
    unet(x, t, y)
    h.remove()
    assert seen[0].shape == (1, 4, 4, 6) and torch.equal(seen[0][0, 3, 1, 2], x[0, 0, 3, 5])


def test_no_label_is_the_last_row_and_any_width_that_is_accepted_computes(unet):
    x, t = torch.randn(2, 1, 4, 8).double(), torch.rand(2).double()
    assert torch.equal(unet(x, t, torch.tensor([-3, flow.NO_LABEL])), unet(x, t, torch.tensor([2, 2])))
    with pytest.raises(IndexError):
        unet(x, t, torch.tensor([0, 3]))
    wide = UNet(Config(labels=3, width=48))
    assert wide(x.float(), t.float(), torch.tensor([0, 1])).shape == x.shape
    groups = wide.groups()
    assert len(groups["muon"]) == 2 + 4 * 3 + 1 + 2 + 2 and all(weight.ndim > 1 for weight in groups["muon"])
    assert sorted(map(id, groups["muon"] + groups["adamw"])) == sorted(map(id, wide.parameters()))


@pytest.mark.parametrize("shape", [(2, 1, 27, 28), (2, 3, 28, 28), (28, 28), (2, 1, 28, 30)])
def test_unet_refuses_other_images(unet, shape):
    with pytest.raises(ValueError, match="multiples of 4"):
        unet(torch.zeros(shape).double(), torch.zeros(2).double(), torch.zeros(2, dtype=torch.int64))


def test_waves_tell_near_times_apart():
    w = waves(torch.tensor([0.0, 0.5, 0.501]), 128)
    assert w.shape == (3, 128) and torch.equal(w[0], torch.cat([torch.ones(64), torch.zeros(64)]))
    assert (w[1] - w[2]).norm() > 0.5


@pytest.mark.parametrize("wrong", [dict(labels=0), *(dict(width=width) for width in (0, 8, 24, 40))])
def test_impossible_unets_are_refused(wrong):
    with pytest.raises(ValueError, match="width a multiple of 16"):
        Config(**wrong)
