"""The precision that a machine is fast at, and Muon in it."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from aigc import machine
from aigc.muon import Muon, orthogonalize
from aigc.train import Recipe, train


@pytest.fixture(autouse=True)
def undecided(monkeypatch):
    monkeypatch.delenv("AIGC_PRECISION", raising=False)


def gain(monkeypatch, value):
    monkeypatch.setattr(machine, "bfloat16_gain", lambda: value)


@pytest.mark.parametrize("times, dtype", [(5.0, torch.bfloat16), (0.5, torch.float32), (0.01, torch.float32)])
def test_the_cpu_computes_in_what_it_is_faster_at(monkeypatch, times, dtype):
    gain(monkeypatch, times)
    assert machine.precision() is dtype and machine.precision(torch.device("cpu")) is dtype


def test_the_gain_is_that_of_a_product_on_this_machine():
    assert 0.001 < machine.bfloat16_gain() < 50
    assert machine.bfloat16_gain() == machine.bfloat16_gain()  # measured once


def test_what_was_asked_for_decides_and_what_does_not_exist_is_refused(monkeypatch):
    gain(monkeypatch, 5.0)
    monkeypatch.setenv("AIGC_PRECISION", "float32")
    assert machine.precision() is torch.float32
    monkeypatch.setenv("AIGC_PRECISION", "bfloat16")
    assert machine.precision() is torch.bfloat16
    monkeypatch.setenv("AIGC_PRECISION", "float16")
    with pytest.raises(ValueError, match="AIGC_PRECISION=float16: choose float32 or bfloat16"):
        machine.precision()


def test_one_line_says_what_the_machine_is(monkeypatch):
    gain(monkeypatch, 5.0)
    line = machine.describe(torch.device("cpu"))
    assert line.startswith("Machine: ") and "\n" not in line
    assert ", bfloat16, " in line and line.endswith(f"threads: {torch.get_num_threads()}")


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
def test_training_multiplies_in_the_chosen_precision_and_keeps_its_weights_in_float32(monkeypatch, asked):
    monkeypatch.setenv("AIGC_PRECISION", asked)
    seen, model = [], nn.Linear(3, 5)

    def loss(model, step, generator):
        y = model(torch.ones(2, 3))
        seen.append(y.dtype)
        return y.float().square().mean()

    train(model, loss, Recipe(steps=1, fast=True), progress=False)
    train(model, loss, Recipe(steps=1), progress=False)
    assert seen == [machine.PRECISIONS[asked], torch.float32] and model.weight.dtype is torch.float32


@pytest.mark.parametrize("asked, off", [("bfloat16", 0.005), ("float32", 0.02)])
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (7, 7)])
def test_steps_are_those_of_torch(monkeypatch, asked, off, shape):
    monkeypatch.setenv("AIGC_PRECISION", asked)  # torch's iteration is in bfloat16 everywhere
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for _ in range(2)]
    models = [[nn.Parameter(w.clone()) for w in start] for _ in range(2)]
    optimizers = (Muon(models[0], lr=0.1), torch.optim.Muon(models[1], lr=0.1, weight_decay=0.0))
    for _ in range(4):
        gradients = [torch.randn(shape, generator=generator) for _ in start]
        for weights, optimizer in zip(models, optimizers):
            for weight, gradient in zip(weights, gradients):
                weight.grad = gradient.clone()
            optimizer.step()
    for mine, torchs, before in zip(*models, start):
        assert (mine - torchs).abs().max() <= off and (mine - before).abs().max() > 0.1


@pytest.mark.parametrize("shape", [(2, 17, 5), (2, 5, 17), (3, 11, 11)])
def test_singular_values_come_near_one_and_their_vectors_stay(monkeypatch, shape):
    monkeypatch.setenv("AIGC_PRECISION", "float32")
    generator = torch.Generator().manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    s = torch.rand(u.size(-1), generator=generator) * 9 + 1
    turned = orthogonalize(u * s @ v)
    near = torch.linalg.svdvals(turned)
    assert near.min() > 0.67 and near.max() < 1.21
    inside = u.mT @ turned @ v.mT  # diagonal, if the vectors are the same
    assert (inside - torch.diag_embed(inside.diagonal(dim1=1, dim2=2))).abs().max() < 1e-4


def test_muon_leaves_alone_what_has_no_gradient_and_resumes_from_its_state():
    torch.manual_seed(0)
    weight, idle = nn.Parameter(torch.randn(3, 5)), nn.Parameter(torch.ones(3, 5))
    optimizer = Muon([weight, idle], lr=0.1)
    gradients = [torch.randn(3, 5) for _ in range(3)]
    for gradient in gradients[:2]:
        weight.grad = gradient
        optimizer.step()
    copy = nn.Parameter(weight.detach().clone())
    resumed = Muon([copy, nn.Parameter(torch.ones(3, 5))], lr=0.1)
    resumed.load_state_dict(deepcopy(optimizer.state_dict()))
    weight.grad, copy.grad = gradients[2], gradients[2].clone()
    optimizer.step(), resumed.step()
    assert torch.equal(weight, copy) and torch.equal(idle, torch.ones(3, 5))
