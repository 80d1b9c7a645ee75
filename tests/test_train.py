"""The training loop: budgets, averages, checkpoints, and a run that is killed and goes on as if nothing had been."""

import copy
import os
import socket
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import softplus

from aigc.muon import Muon
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


def test_killed_run_goes_on_exactly_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "a"), "0", str(tmp_path / "whole")])
    exec(SCRIPT, {})  # here, and not killed
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


PAIR = """
import os, sys, time, torch
from aigc.train import Recipe, train

rank, folder = int(os.environ["RANK"]), sys.argv[1]
torch.manual_seed(0)
model, drawn, gradients = torch.nn.Linear(3, 2, bias=False), [], []
move = torch.optim.AdamW.step
torch.optim.AdamW.step = lambda self: gradients.append(model.weight.grad.clone()) or move(self)

def loss(model, step, generator):
    drawn.append(torch.randn(7, 3, generator=generator))
    return (model(drawn[-1]) - 1).square().mean()

train(model, loss, Recipe(steps=8, ema=0.5), checkpoint=folder + "/run", progress=False)
torch.optim.AdamW.step = move
torch.save([model.weight.detach(), torch.stack(drawn), torch.stack(gradients)], f"{folder}/both{rank}")

torch.manual_seed(rank)  # each begins elsewhere, and one is slower
model = torch.nn.Linear(3, 2)

def loss(model, step, generator):
    time.sleep(0.001 + 0.002 * rank * torch.rand(1, generator=generator).item())
    yield model, (model(torch.randn(7, 3, generator=generator)) - 1).square().mean()

history = train(model, loss, Recipe(seconds=1.0, lr=0.05), progress=False)
torch.save([len(history), model.state_dict()], f"{folder}/timed{rank}")

torch.manual_seed(0)
model = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])

def loss(model, step, generator):  # each process trains another part
    return (model[rank](torch.randn(5, 2, generator=generator)) - 1).square().mean()

train(model, loss, Recipe(steps=5, lr=0.1), progress=False)
torch.save(model.state_dict(), f"{folder}/uneven{rank}")
os._exit(0)  # where two have trained, one exit in fifty aborts in the end of the threads of torch, after all is done
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What two processes that train together have saved under a name, the first one's and the second one's."""
    folder = tmp_path_factory.mktemp("pair")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    group = []
    for rank in range(2):
        environment = {
            **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        group.append(subprocess.Popen([sys.executable, "-c", PAIR, str(folder)], env=environment))
    assert [process.wait(timeout=120) for process in group] == [0, 0]
    return lambda name: [torch.load(folder / f"{name}{rank}") for rank in range(2)]


def test_two_processes_train_one_model_on_the_data_of_both(pair):
    (a, first, mean), (b, second, _) = pair("both")
    assert torch.equal(a, b) and not torch.equal(first, second)

    torch.manual_seed(0)
    alone, both = nn.Linear(3, 2, bias=False), torch.cat([first, second], dim=1)
    seen = []

    def loss(model, step, generator):
        value = (model(both[step]) - 1).square().mean()
        seen.append(torch.autograd.grad(value, model.weight, retain_graph=True)[0])
        return value

    train(alone, loss, Recipe(steps=8, ema=0.5), progress=False)
    assert torch.allclose(alone.weight, a, atol=1e-5)
    assert torch.allclose(torch.stack(seen), mean, atol=1e-5)  # a sum would be twice as long; AdamW does not see that


def test_two_processes_that_stop_by_the_clock_stay_one_model(pair):
    (n, a), (m, b) = pair("timed")
    assert n == m > 50 and all(torch.equal(a[key], b[key]) for key in a)


def test_two_processes_stay_one_model_where_each_has_gradients_of_another_part(pair):
    a, b = pair("uneven")
    assert all(torch.equal(a[key], b[key]) for key in a)


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

    train(model, constant, Recipe(steps=100, lr=0.1, warmup=0.1), progress=False)
    moves = -torch.tensor(weights).diff()
    top = int(moves.argmax())
    assert 8 <= top <= 12 and moves[top].item() == pytest.approx(0.09, abs=0.01)
    assert (moves[:top].diff() > -1e-5).all() and (moves[top:].diff() < 1e-5).all() and moves[-1] < 0.01


def test_average_lags_behind_and_is_what_the_model_holds_at_the_end():
    kept, model = [], nn.Linear(1, 1, bias=False)

    def remember(model, step, generator):
        kept.append(model.weight.item())
        return model.weight.sum()

    train(model, remember, Recipe(steps=50, ema=0.9), progress=False)
    assert kept[-1] < model.weight.item() < kept[0]
    assert not model.training


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.inner, self.write = nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 5)

    def groups(self):
        rest = [*self.read.parameters(), self.inner.bias, *self.write.parameters()]
        return {"muon": [self.inner.weight], "adamw": rest}


def test_muon_moves_what_the_model_gives_it_and_adamw_the_rest_at_the_rates_of_the_recipe():
    model = Grouped()
    muon, adamw = make_optimizers(model, Recipe(steps=1, lr=0.004, muon_lr=0.02))
    assert [id(p) for group in muon.param_groups for p in group["params"]] == [id(model.inner.weight)]
    assert len([p for group in adamw.param_groups for p in group["params"]]) == 4
    assert (muon.param_groups[0]["lr"], adamw.param_groups[0]["lr"]) == (0.02, 0.004)
    [alone] = make_optimizers(model, Recipe(steps=1, lr=0.7))
    assert isinstance(alone, torch.optim.AdamW) and alone.param_groups[0]["lr"] == 0.7
    assert len(alone.param_groups[0]["params"]) == 5


@pytest.mark.parametrize("change", ["forgotten", "twice"])
def test_every_parameter_is_in_one_group(change):
    model = Grouped()
    groups = model.groups()
    groups["adamw"] = groups["adamw"][1:] if change == "forgotten" else [*groups["adamw"], model.inner.weight]
    model.groups = lambda: groups
    with pytest.raises(ValueError, match="groups of Grouped must hold each of its parameters once"):
        make_optimizers(model, Recipe(steps=1, muon_lr=0.02))


def test_muon_turns_a_kernel_as_it_turns_the_matrix_that_it_is():
    torch.manual_seed(0)
    kernel, matrix = nn.Conv2d(2, 5, 3, bias=False), nn.Linear(18, 5, bias=False)
    matrix.weight.data = kernel.weight.detach().flatten(1).clone()
    before, x = matrix.weight.detach().clone(), torch.randn(7, 2, 3, 3)
    for model, seen in ((kernel, x), (matrix, x.flatten(1))):
        muon = Muon(model.parameters(), lr=0.1)
        for _ in range(3):
            muon.zero_grad()
            model(seen).square().sum().backward()
            muon.step()
    assert torch.allclose(kernel.weight.flatten(1), matrix.weight, atol=1e-5)
    assert (matrix.weight - before).abs().mean() > 0.02


def test_a_model_of_transformers_has_no_groups_and_is_not_given_to_muon():
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=11, n_positions=7, n_embd=12, n_layer=1, n_head=3))
    with pytest.raises(ValueError, match="GPT2LMHeadModel has no groups"):
        make_optimizers(model, Recipe(steps=1, muon_lr=0.02))
    [adamw] = make_optimizers(model, Recipe(steps=1))
    assert len(adamw.param_groups[0]["params"]) == len(list(model.parameters()))


class Game(nn.Module):
    """Two players with one number each: x wants x y small, y wants it large."""

    def __init__(self):
        super().__init__()
        self.x, self.y = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)


def duel(game, step, generator):
    value = game.x.weight.sum() * game.y.weight.sum()
    yield game.y, -value
    yield game.x, game.x.weight.sum() * game.y.weight.sum()


def test_each_part_learns_from_its_own_loss_and_sees_what_the_one_before_it_has_learnt():
    torch.manual_seed(0)
    game, by_hand, seen = Game(), Game(), []
    by_hand.load_state_dict(game.state_dict())

    def watched(game, step, generator):
        for part, value in duel(game, step, generator):
            before = {name: weight.item() for name, weight in game.named_parameters()}
            yield part, value
            after = {name: weight.item() for name, weight in game.named_parameters()}
            seen.append([name for name in before if before[name] != after[name]])

    history = train(game, watched, Recipe(steps=5, lr=0.1, warmup=1.0), progress=False)
    assert seen == [["y.weight"], ["x.weight"]] * 5
    assert len(history) == 5 and all(len(pair) == 2 for pair in history)
    optimizers = [
        torch.optim.AdamW(part.parameters(), betas=(0.9, 0.99), weight_decay=0) for part in (by_hand.y, by_hand.x)
    ]
    for step in range(5):
        for sign, optimizer in zip((-1, 1), optimizers):
            optimizer.param_groups[0]["lr"] = 0.1 * ((step / 5) * (1 - step / 5) or 1e-3)
            for part in (by_hand.x, by_hand.y):
                part.zero_grad()
            (sign * by_hand.x.weight.sum() * by_hand.y.weight.sum()).backward()
            optimizer.step()
    for mine, theirs in zip(game.parameters(), by_hand.parameters()):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_a_gan_finds_the_mean_of_what_it_has_to_imitate(tmp_path):
    class Gan(nn.Module):
        def __init__(self):
            super().__init__()
            self.generator = nn.Linear(1, 1)
            self.critic = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))

    def loss(gan, step, generator):
        real, noise = 3 + torch.randn(64, 1, generator=generator), torch.randn(64, 1, generator=generator)
        real.requires_grad_()
        fake = gan.generator(noise)
        opinion = gan.critic(real)
        [slope] = torch.autograd.grad(opinion.sum(), real, create_graph=True)
        penalty = slope.square().mean()  # R1 (Mescheder et al. 2018, arXiv:1801.04406)
        yield gan.critic, softplus(-opinion).mean() + softplus(gan.critic(fake.detach())).mean() + penalty
        yield gan.generator, softplus(-gan.critic(fake)).mean()

    def run(**stop):
        torch.manual_seed(0)
        gan = Gan()
        history = train(gan, loss, Recipe(steps=600, lr=0.02, ema=0.98), progress=False, **stop)
        return gan, history

    gan, history = run()
    assert gan.generator.bias.item() == pytest.approx(3, abs=0.3)
    assert abs(gan.generator.bias.item() - 3) < 0.3 and len(history) == 600
    again, _ = run(checkpoint=tmp_path / "run", every=100)
    for a, b in zip(gan.parameters(), again.parameters()):
        assert torch.equal(a, b)


def test_a_turn_is_computed_in_the_precision_of_the_recipe_and_learnt_from_outside_of_it(monkeypatch):
    monkeypatch.setenv("AIGC_PRECISION", "bfloat16")
    seen = []

    def loss(game, step, generator):
        for part in (game.y, game.x):
            seen.append(part(torch.ones(1, 1)).dtype)
            yield part, part.weight.sum()
            assert torch.is_autocast_enabled("cpu")

    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: seen.append(torch.is_autocast_enabled("cpu")))
    train(Game(), loss, Recipe(steps=1, fast=True), progress=False)
    assert seen == [torch.bfloat16, False] * 2


def test_gradients_from_before_and_of_other_parts_are_not_learnt_from():
    torch.manual_seed(0)
    game = Game()
    (100 * game.x.weight.sum() + 100 * game.y.weight.sum()).backward()
    before = game.y.weight.item(), game.x.weight.item()

    def loss(game, step, generator):
        yield game.x, game.x.weight.sum()

    train(game, loss, Recipe(steps=1, lr=0.5), progress=False)
    assert game.y.weight.item() == before[0] and game.x.weight.item() < before[1]
    assert game.x.weight.grad is None and game.y.weight.grad is None


def test_what_is_frozen_stays_and_shared_weights_are_averaged_once():
    def pull(shared):
        torch.manual_seed(0)
        model = Game()
        for part in (model.x, model.y):
            nn.init.zeros_(part.weight)
        if shared:
            model.y.weight = model.x.weight
        else:
            model.y.weight.requires_grad_(False)
        train(model, lambda m, s, g: m.x.weight.sum(), Recipe(steps=50, lr=0.1, ema=0.99), progress=False)
        return model

    assert pull(True).x.weight.item() == pull(False).x.weight.item() != 0
    assert pull(False).y.weight.item() == 0


def test_the_average_remembers_no_steps(monkeypatch):
    averages, real = [], copy.deepcopy

    def watched(thing, memo=None):
        made = real(thing, memo)
        averages.extend([made] if isinstance(thing, nn.Sequential) else [])
        return made

    monkeypatch.setattr("aigc.train.copy.deepcopy", watched)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    loss = lambda model, step, generator: model(torch.randn(5, 3, generator=generator)).square().sum()
    train(model, loss, Recipe(steps=3, ema=0.9), progress=False)
    [average] = averages
    assert all(w.grad_fn is None and not w.requires_grad for w in average.parameters())  # no graph that grows
    assert average[1].running_mean.abs().max() > 0 and average[1].num_batches_tracked == 3


def test_average_is_the_one_that_the_recipe_asks_for():
    kept = []

    def remember(model, step, generator):
        kept.append(model.weight.item())
        return model.weight.sum()

    torch.manual_seed(0)
    model = nn.Linear(1, 1, bias=False)
    train(model, remember, Recipe(steps=30, lr=0.1, ema=0.8), progress=False)
    average, last = kept[0], model.weight.item()
    for step, weight in enumerate(kept[1:], start=1):
        keep = min(0.8, step / (step + 10))
        average = keep * average + (1 - keep) * weight
    keep = min(0.8, 30 / 40)  # and the weight after the last step
    final = (last - keep * average) / (1 - keep)
    assert final < kept[-1] and kept[-1] - final < 0.01


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_run_with_muon_goes_on_as_if_it_had_not_stopped(tmp_path, ema):
    def loss(model, step, generator):
        if step == stop:
            raise KeyboardInterrupt
        ids = torch.randint(5, (4,), generator=generator)
        return model.write(model.inner(model.read(ids))).square().mean()

    recipe, ends = Recipe(steps=20, lr=0.01, muon_lr=0.1, ema=ema), []
    for stop in (None, 13):
        torch.manual_seed(0)
        model, file = Grouped(), tmp_path / str(stop)
        try:
            train(model, loss, recipe, checkpoint=file, every=6, progress=False)
        except KeyboardInterrupt:
            stop, model = None, Grouped()
            assert len(train(model, loss, recipe, checkpoint=file, every=6, progress=False)) == 20 - 12
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_the_rate_of_muon_falls_too_and_it_has_momentum(monkeypatch):
    rates, seen = [], []
    real = Muon.step

    def step(self):
        rates.append(self.param_groups[0]["lr"])
        seen.append(self.param_groups[0]["momentum"])
        real(self)

    monkeypatch.setattr(Muon, "step", step)
    loss = lambda model, step, generator: model.inner(torch.ones(1, 3)).square().mean()
    train(Grouped(), loss, Recipe(steps=10, muon_lr=0.1, warmup=0.2), progress=False)
    assert rates == pytest.approx([1e-4, 0.045, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01])
    assert set(seen) == {0.95}


def test_the_seconds_of_an_earlier_call_count(tmp_path):
    path = tmp_path / "run"
    train(line(), square, Recipe(seconds=0.3), checkpoint=path, progress=False)
    started = time.perf_counter()
    assert train(line(), square, Recipe(seconds=0.3), checkpoint=path, progress=False) == []
    assert time.perf_counter() - started < 0.25


def test_a_part_may_have_its_turn_in_some_steps_only():
    def loss(game, step, generator):
        yield game.y, game.y.weight.sum()
        if step % 3 == 0:
            yield game.x, game.x.weight.sum()

    history = train(Game(), loss, Recipe(steps=4), progress=False)
    assert [len(values) for values in history] == [2, 1, 1, 2]
    twice = lambda game, step, g: iter([(game, game.x.weight.sum()), (game, game.y.weight.sum())])
    assert all(len(values) == 2 for values in train(Game(), twice, Recipe(steps=3), progress=False))


def nothing(game, step, generator):
    game.x.weight.sum()


def stranger(game, step, generator):
    other = nn.Linear(1, 1)
    yield other, other.weight.sum()


def mistaken(game, step, generator):
    yield game.x, game.y.weight.sum()


def frozen(game, step, generator):
    yield game.x.requires_grad_(False), game.y.weight.sum()


@pytest.mark.parametrize(
    "loss, says",
    [
        (nothing, "a loss returns a scalar, or yields .part of the model, scalar., not None"),
        (lambda game, step, generator: [(game.x, game.x.weight.sum())], "a loss returns a scalar, or yields"),
        (lambda game, step, generator: iter([game.x.weight.sum()]), "a loss returns a scalar, or yields"),
        (lambda game, step, generator: iter([]), "a loss returns a scalar, or yields"),
        (lambda game, step, generator: game.x.weight, "a loss returns a scalar, or yields"),
        (stranger, "a loss returns a scalar, or yields"),
        (mistaken, "nothing that Linear could learn changes its loss"),
        (frozen, "nothing that Linear could learn"),
    ],
)
def test_usual_mistakes_in_a_loss_are_named(loss, says):
    with pytest.raises(ValueError, match=says):
        train(Game(), loss, Recipe(steps=2), progress=False)


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
        (dict(steps=1, lr=0.0), "positive"),
        (dict(steps=1, muon_lr=-1.0), "positive"),
        (dict(steps=1, ema=1.0), "ema"),
        (dict(steps=1, warmup=0.0), "warmup"),
    ],
)
def test_impossible_recipes_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Recipe(**wrong)


def test_momentum_is_adams_first_beta():
    model = nn.Linear(3, 2)
    assert make_optimizers(model, Recipe(steps=1))[0].param_groups[0]["betas"] == (0.9, 0.99)
    assert make_optimizers(model, Recipe(steps=1, momentum=0))[0].param_groups[0]["betas"] == (0.0, 0.99)
    with pytest.raises(ValueError, match="momentum"):
        Recipe(steps=1, momentum=1.0)
