"""The training loop: budgets, averages, checkpoints, and a run that is killed and goes on as if nothing had been."""

import os
import socket
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from aigc.train import Recipe, make_optimizers, train

SCRIPT = """
import sys, time, torch
from aigc.train import Recipe, train

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Dropout(0.2), torch.nn.Linear(5, 2))
slow = float(sys.argv[2])

def loss(model, step, generator):
    time.sleep(slow)
    x = torch.randn(7, 3, generator=generator)
    return (model(x) - x[:, :2]).square().mean()

history = train(model, loss, Recipe(steps=60, ema=0.9), checkpoint=sys.argv[1], every=10, progress=False)
torch.save([len(history), history[-1], model.state_dict()], sys.argv[3])
"""


def run(checkpoint, slow, result):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(checkpoint), str(slow), str(result)], env=os.environ)


def test_killed_run_goes_on_exactly_where_it_was(tmp_path):
    assert run(tmp_path / "a", 0, tmp_path / "whole").wait() == 0
    killed = run(tmp_path / "b", 0.05, tmp_path / "never")
    deadline = time.monotonic() + 60
    while not (tmp_path / "b").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)  # into the steps after the checkpoint, which are lost
    killed.kill()
    assert killed.wait() != 0 and not (tmp_path / "never").exists()
    assert run(tmp_path / "b", 0, tmp_path / "resumed").wait() == 0
    (n, last, whole), (m, again, resumed) = (torch.load(tmp_path / name) for name in ("whole", "resumed"))
    assert n == 60 and 0 < m <= 50 and last == again
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    a, b = (load_file(tmp_path / name) for name in ("a", "b"))
    assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "whole", "resumed"}  # no partial file is left


TWO = """
import sys, torch
from aigc.train import Recipe, train

torch.manual_seed(0)
model, drawn = torch.nn.Linear(3, 2, bias=False), []

def loss(model, step, generator):
    drawn.append(torch.randn(7, 3, generator=generator))
    return (model(drawn[-1]) - 1).square().mean()

train(model, loss, Recipe(steps=8, ema=0.5), checkpoint=sys.argv[1], progress=False)
torch.save([model.weight.detach(), torch.stack(drawn)], sys.argv[2])
"""


def test_two_processes_train_one_model_on_the_data_of_both(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    group = []
    for rank in range(2):
        environment = {
            **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = [sys.executable, "-c", TWO, str(tmp_path / "run"), str(tmp_path / str(rank))]
        group.append(subprocess.Popen(command, env=environment))
    assert [process.wait(timeout=120) for process in group] == [0, 0]
    (a, first), (b, second) = (torch.load(tmp_path / str(rank)) for rank in range(2))
    assert torch.equal(a, b) and not torch.equal(first, second)

    torch.manual_seed(0)
    alone, both = nn.Linear(3, 2, bias=False), torch.cat([first, second], dim=1)
    train(alone, lambda m, step, g: (m(both[step]) - 1).square().mean(), Recipe(steps=8, ema=0.5), progress=False)
    assert torch.allclose(alone.weight, a, atol=1e-5)


def line():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def square(model, step, generator):
    x = torch.randn(5, 3, generator=generator)
    return (model(x) - x.sum(1, keepdim=True)).square().mean()


def test_model_learns_and_the_same_seed_gives_the_same_run():
    histories = [train(line(), square, Recipe(steps=300, lr=0.05, seed=s), progress=False) for s in (0, 0, 1)]
    assert histories[0] == histories[1] != histories[2]
    assert sum(histories[0][-20:]) < 0.05 * sum(histories[0][:20])


def test_training_leaves_the_global_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = line()
    torch.manual_seed(5)
    train(model, square, Recipe(steps=3), progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_a_budget_in_seconds_ends_the_run():
    started = time.perf_counter()
    history = train(line(), square, Recipe(seconds=0.5), progress=False)
    assert 0.4 < time.perf_counter() - started < 5 and len(history) > 5


def test_rate_rises_then_falls_to_nothing():
    model, weights = nn.Linear(1, 1, bias=False), []

    def constant(model, step, generator):  # the gradient is 1 always, so AdamW moves by the rate itself
        weights.append(model.weight.item())
        return model.weight.sum()

    train(model, constant, Recipe(steps=100, optimizer="adamw", adamw_lr=0.1, warmup=0.1), progress=False)
    moves = -torch.tensor(weights).diff()
    top = int(moves.argmax())
    assert 8 <= top <= 12 and moves[top].item() == pytest.approx(0.09, abs=0.01)
    assert (moves[:top].diff() > -1e-5).all() and (moves[top:].diff() < 1e-5).all() and moves[-1] < 0.01


def test_average_lags_behind_and_is_what_the_model_holds_at_the_end():
    kept, model = [], nn.Linear(1, 1, bias=False)

    def remember(model, step, generator):
        kept.append(model.weight.item())
        return model.weight.sum()

    train(model, remember, Recipe(steps=50, optimizer="adamw", ema=0.9), progress=False)
    assert kept[-1] < model.weight.item() < kept[0]
    assert not model.training


def test_muon_takes_the_matrices_inside_and_adamw_the_rest():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.inner, self.head = nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 5)

    model = Model()
    muon, adamw = make_optimizers(model, Recipe(steps=1))
    assert [p.shape for group in muon.param_groups for p in group["params"]] == [model.inner.weight.shape]
    assert len([p for group in adamw.param_groups for p in group["params"]]) == 4
    assert len(make_optimizers(model, Recipe(steps=1, optimizer="adamw"))) == 1


def test_a_loss_that_is_not_finite_stops_the_run_with_a_reason():
    with pytest.raises(FloatingPointError, match="at step 2: lower the learning rate"):
        train(
            line(),
            lambda m, step, g: m.weight.sum() * (float("nan") if step == 2 else 1),
            Recipe(steps=9),
            progress=False,
        )


@pytest.mark.parametrize("damage", ["truncate", "empty", "other recipe", "other model"])
def test_unusable_checkpoints_are_refused_and_kept(tmp_path, damage):
    path, recipe, model = tmp_path / "run.safetensors", Recipe(steps=4), line()
    train(model, square, recipe, checkpoint=path, progress=False)
    content = path.read_bytes()
    if damage == "truncate":
        path.write_bytes(content[:-40])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other recipe":
        recipe = Recipe(steps=5)
    else:
        model = nn.Linear(3, 2)
    before = path.read_bytes()
    says = {"other recipe": "another recipe", "other model": "another model"}.get(damage, "damaged")
    with pytest.raises(ValueError, match=f"(?s){says}.*elete"):
        train(model, square, recipe, checkpoint=path, progress=False)
    assert path.read_bytes() == before


def test_a_finished_run_is_not_run_again(tmp_path):
    path, model = tmp_path / "run", line()
    train(model, square, Recipe(steps=4, ema=0.5), checkpoint=path, progress=False)
    again = line()
    assert train(again, square, Recipe(steps=4, ema=0.5), checkpoint=path, progress=False) == []
    assert torch.equal(again.weight, model.weight)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(), "needs an end"),
        (dict(steps=0), "at least 1"),
        (dict(seconds=-1.0), "positive"),
        (dict(steps=1, optimizer="sgd"), "optimizer"),
        (dict(steps=1, ema=1.0), "ema"),
        (dict(steps=1, warmup=0.0), "warmup"),
    ],
)
def test_impossible_recipes_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Recipe(**wrong)
