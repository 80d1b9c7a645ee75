"""The released models: what is shipped loads, keeps its promises, and is refused when damaged."""

import hashlib
import importlib
import json
import math
import shutil
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from aigc import course, data, released, sample
from aigc.codecs import notes
from aigc.codecs.text import CharCodec
from aigc.evaluate.text import nats_per_token
from aigc.models import choir
from aigc.models.gpt import GPT, Config, loss
from tools import checkpoints, recipes

NAMES = checkpoints.names()


@pytest.mark.parametrize("name", NAMES)
def test_shipped_model_is_small_whole_and_has_its_card(name):
    path = released.path(name)
    assert sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir())) < 5e6
    card = (released.FOLDER / f"{name}.md").read_text(encoding="utf-8")
    recipe = importlib.import_module(f"tools.recipes.{name}")
    for words in ("Minutes", "Held out", f"make checkpoints ARGS={name}", recipe.DATA, recipe.LIMITS):
        assert words in card, f"{name}.md does not say {words!r}: run `make checkpoints`"
    if path.is_file():
        model, _ = released.load(name)
        assert not model.training and all(w.dtype == torch.float32 for w in model.parameters())
    else:
        with pytest.raises(ValueError, match=f"from_pretrained.released.path.'{name}'"):
            released.load(name)


def test_the_recipes_the_index_the_files_and_the_cards_are_of_the_same_models():
    here = [path for path in released.FOLDER.rglob("*") if path.is_file() and path.name != "index.json"]
    here = {path.relative_to(released.FOLDER).as_posix() for path in here}
    index = released.index()
    assert list(index) == NAMES and len(NAMES) >= 5
    assert here == {file for files in index.values() for file in files} | {f"{name}.md" for name in NAMES}


# Three logits, or pixels of a velocity, of each model on a fixed input, as they were when it was released; and the
# beginning of the sha256 of its weights. Whoever trains it anew writes new ones.
KNOWN = {
    "choir": ("c1e80ab2", [-2.3658, -6.3685, -10.2248]),
    "digits": ("5c14fe7f", [1.3777, -0.6533, 2.5]),
    "gan": ("8bdc4e05", [-0.5807, -0.8195, -0.7891]),
    "gpt2": ("9479c644", None),
    "judge": ("7574cc2d", [-8.7935, -4.7821, 1.4316]),
    "shakespeare": ("c1cb9d23", [0.0789, 0.3657, -5.0842]),
    "vae": ("7ff0d3ff", [-0.4188, -0.8586, -0.8891]),
    "verse": ("f12dbd2c", [19.0328, -1.4191, -2.8189]),
}


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_no_change_of_the_code_changes_what_a_shipped_model_says(name):
    begin, expected = KNOWN[name]
    files = released.index()[name]
    assert next(s for f, s in files.items() if f.endswith(".safetensors")).startswith(begin), "measure KNOWN anew"
    g, at = torch.Generator().manual_seed(1), [0, None, -1]
    if name == "gpt2":
        pytest.skip("its code is that of transformers")
    model, _ = released.load(name)
    if name == "digits":
        noise = torch.randn(1, 1, 28, 28, generator=g)
        out = model(noise, torch.tensor([0.5]), torch.tensor([7]))[0, 0, 14]
    elif name in ("gan", "vae"):
        z, seven = torch.randn(1, model.config.noise, generator=g), torch.tensor([7])
        out = (model.G if name == "gan" else model)(z, seven)[0, 0, 10:20].mean(-1)
    elif name == "choir":
        known = [torch.randint(size, (1, 9, 1), generator=g) for size in model.config.side]
        rows = torch.cat([torch.randint(model.config.vocab, (1, 9, 4), generator=g), *known], -1)
        out = model.logits(model(rows[..., :4], rows[..., 4:]), rows[..., :4], [])[0, -1]
    elif name == "judge":
        out = model(torch.randn(1, 1, 28, 28, generator=g))[0]
    else:
        ids = torch.randint(model.config.vocab, (1, 9), generator=g)
        known = [torch.randint(size, (1, 9), generator=g) for size in model.config.side]
        out = model(ids, torch.stack(known, -1) if known else None)[0, -1]
    at[1] = len(out) // 2
    assert out[at].tolist() == pytest.approx(expected, abs=2e-3)
    groups = model.groups()
    assert sorted(map(id, groups["muon"] + groups["adamw"])) == sorted(map(id, model.parameters()))


def test_text_and_music_predict_what_is_held_out_far_better_than_chance():
    model, vocab = released.load("shakespeare")
    ids = torch.tensor(CharCodec(vocab).encode(data.shakespeare("test")[:20_000]))
    assert nats_per_token(model, ids, model.config.context) / math.log(2) < 2.4  # letters alone: about 4.7
    model, _ = released.load("choir")
    rows = torch.from_numpy(notes.rows(data.chorales("test")[0]))
    with torch.inference_mode():
        assert choir.nats(model, rows[None]).mean().item() / math.log(2) < 0.8  # notes alone: about 2.2


def test_the_model_in_gpt2_s_format_is_one_for_transformers():
    from transformers import GPT2LMHeadModel, GPT2Tokenizer  # here: each worker imports every file, and this takes 8 s

    folder = released.path("gpt2")
    tokenizer, model = GPT2Tokenizer.from_pretrained(folder), GPT2LMHeadModel.from_pretrained(folder)
    text = data.shakespeare("test")[:2000].replace("\n\n", tokenizer.eos_token)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    ids = torch.tensor(tokenizer.encode(text))
    nats = nats_per_token(lambda ids, side: model(input_ids=ids).logits, ids, model.config.n_positions)
    assert nats * len(ids) / len(text) / math.log(2) < 2.8  # bits per character; letters alone: about 4.7


def test_the_poet_fills_its_lines_and_predicts_unread_ones():
    model, vocab = released.load("verse")
    codec = CharCodec(vocab)
    start = torch.full((100, 1), codec.encode("\n")[0])
    drawn = torch.stack(list(sample.tokens(model, start, 21, generator=torch.Generator().manual_seed(0))), dim=1)
    ended = [codec.decode(row).index("\n") == 20 for row in drawn if codec.encode("\n")[0] in row]
    assert len(ended) > 95 and sum(ended) > 95
    poem = torch.tensor([codec.encode("\n床前明月光疑是地上霜舉頭望明月低頭思故鄉\n")])
    assert loss(model, poem).item() < 6 < math.log(len(vocab))


def enter(folder, name, path):
    """Make the index believe in a changed file."""
    index = released.index(folder)
    index[name] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "index.json").write_text(json.dumps(index))


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(released.FOLDER, tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("where", [3, 40, 2000, -1])
def test_one_flipped_byte_is_refused(folder, where):
    path = folder / "digits.safetensors"
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="digits.safetensors is damaged.*git checkout"):
        released.load("digits", folder)


@pytest.mark.parametrize("length", [0, 5, 1000, -1])
def test_truncated_files_are_refused(folder, length):
    path = folder / "choir.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match="choir.safetensors is damaged.*make checkpoints"):
        released.load("choir", folder)


def test_another_version_is_refused_by_name(folder):
    path = folder / "shakespeare.safetensors"
    with safe_open(path, "pt") as file:
        metadata = {**file.metadata(), "version": "0"}
    save_file(load_file(path), path, metadata)
    enter(folder, "shakespeare", path)
    with pytest.raises(ValueError, match="version 0, this code reads 1"):
        released.load("shakespeare", folder)


def test_unknown_names_are_refused_with_the_known_ones(folder):
    says = "no model 'mona_lisa'.*the models there are choir, digits, gan, gpt2, judge"
    with pytest.raises(FileNotFoundError, match=says):
        released.load("mona_lisa", folder)


def test_a_missing_file_is_named_and_not_among_those_that_are_there(folder):
    (folder / "gpt2" / "tokenizer.json").unlink()
    with pytest.raises(
        FileNotFoundError, match="^gpt2/tokenizer.json, which index.json names, is not in .*git checkout"
    ):
        released.path("gpt2", folder)
    (folder / "digits.safetensors").unlink()
    with pytest.raises(
        FileNotFoundError, match="^digits.safetensors, which index.json names, is not in [^:]*git checkout"
    ):
        released.load("digits", folder)


def test_one_byte_of_a_folder_is_refused_too(folder):
    config = folder / "gpt2" / "config.json"
    config.write_text(config.read_text().replace("192", "193"))
    with pytest.raises(ValueError, match="gpt2/config.json is damaged.*git checkout"):
        released.path("gpt2", folder)


@pytest.mark.parametrize("content", ["", "{", "[1"])
def test_a_broken_index_says_how_to_mend_it(folder, content):
    (folder / "index.json").write_text(content)
    with pytest.raises(ValueError, match="index.json in .* is damaged.*git checkout"):
        released.load("digits", folder)
    (folder / "index.json").unlink()
    with pytest.raises(FileNotFoundError, match="no index.json in .*git checkout"):
        released.load("digits", folder)


def test_a_model_of_no_family_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="Linear is of no family"):
        released.save("line", torch.nn.Linear(2, 2), "", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_transformers_becomes_a_folder_that_it_loads(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

    tokenizer = GPT2Tokenizer.from_pretrained(released.path("gpt2"))
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_positions=7, n_embd=12, n_layer=1, n_head=3))
    before = {name: w.clone() for name, w in model.state_dict().items()}
    released.save("tiny", model, tokenizer, tmp_path / "new")  # a folder that is not there yet
    released.save("tiny", model, tokenizer, tmp_path)
    assert all(w.equal(before[name]) for name, w in model.state_dict().items())  # what was saved is not changed by it
    again = GPT2LMHeadModel.from_pretrained(released.path("tiny", tmp_path), dtype=torch.float32)
    assert all(w.equal(before[name].bfloat16().float()) for name, w in again.state_dict().items())
    (tmp_path / "tiny" / "stale.txt").touch()
    released.save("tiny", model, tokenizer, tmp_path)  # again: nothing of the old folder stays
    assert not (tmp_path / "tiny" / "stale.txt").exists() and "tiny/stale.txt" not in released.index(tmp_path)["tiny"]
    with pytest.raises(ValueError, match="nor of transformers with a tokenizer"):
        released.save("silent", model, "", tmp_path)
    (tmp_path / "tiny" / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="tiny/config.json"):
        released.path("tiny", tmp_path)


def test_what_is_saved_is_loaded_to_the_precision_of_bfloat16(tmp_path):
    torch.manual_seed(0)
    model = GPT(Config(vocab=5, context=3, layers=1, heads=1, width=14, side=(2, 3)))
    released.save("small", model, "abcde", tmp_path)
    again, vocab = released.load("small", tmp_path)
    assert vocab == "abcde" and again.config == model.config
    for a, b in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b.bfloat16().float())
    assert {path.name for path in tmp_path.iterdir()} == {"small.safetensors", "index.json"}
    released.save("other", model, "", tmp_path)
    assert list(released.index(tmp_path)) == ["other", "small"]


TOY_MODEL = '''
"""A line: the smallest family there is."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Config:
    inputs: int


class Toy(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, self.map = config, nn.Linear(config.inputs, 2)

    def groups(self):
        return {"muon": [self.map.weight], "adamw": [self.map.bias]}

    def sample(self, n, generator):
        return self.map(torch.randn(n, self.config.inputs, generator=generator))


def loss(model, x):
    return (model.map(x) - x.flip(1)).square().mean()
'''
TOY_RECIPE = """
import torch

from aigc.models import toy
from aigc.train import Recipe

DATA, LIMITS = "Dice.", "It exchanges two numbers."
RECIPE = Recipe(steps=400, lr=0.01, muon_lr=0.05)


def start():
    torch.manual_seed(0)
    return toy.Toy(toy.Config(inputs=2)), lambda m, step, g: toy.loss(m, torch.randn(32, 2, generator=g)), ""


def measure(model):
    return f"{toy.loss(model, torch.eye(2)).item():.4f} on two points held out (a guess of zero: 0.5)"
"""


def test_a_family_is_a_model_file_and_a_recipe_and_nothing_else(tmp_path, monkeypatch, capsys):
    for package, folder, source in (
        (importlib.import_module("aigc.models"), "models", TOY_MODEL),
        (recipes, "recipes", TOY_RECIPE),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "toy.py").write_text(source)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / folder)])
    shipped = tmp_path / "checkpoints"
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path / "cache"))
    assert checkpoints.names() == sorted([*NAMES, "toy"])
    recipe, measured = importlib.import_module("tools.recipes.toy"), {}
    real = recipe.measure
    monkeypatch.setattr(recipe, "measure", lambda model: measured.update(model.state_dict()) or real(model))
    assert checkpoints.make("toy", shipped) == shipped / "toy.safetensors"
    card = (shipped / "toy.md").read_text()
    assert all(words in card for words in ("Dice.", "It exchanges two numbers.", "6 parameters, Toy", "(400 steps)"))
    model, characters = released.load("toy", shipped)
    assert measured and all(w.equal(model.state_dict()[name]) for name, w in measured.items())  # what is shipped
    assert characters == "" and model.config.inputs == 2
    held_out = float(card.split("**Held out**: ")[1].split()[0])
    assert held_out < 0.01  # and it is what the shipped weights reach
    toy = importlib.import_module("aigc.models.toy")
    assert toy.loss(model, torch.eye(2)).item() == pytest.approx(held_out, abs=1e-4)
    drawn = model.sample(5000, torch.Generator().manual_seed(0))
    assert drawn.std(0).tolist() == pytest.approx([1, 1], abs=0.1)
    there = SimpleNamespace(index=partial(released.index, shipped), path=partial(released.path, folder=shipped))
    monkeypatch.setattr(course, "released", there)
    monkeypatch.setattr("aigc.data.OFFLINE", ())
    course.check()
    assert capsys.readouterr().out.splitlines()[-2:] == ["index of models, ready", "model: toy, ready"]
    (shipped / "toy.safetensors").write_bytes(b"")
    course.check()
    assert "model: toy, MISSING. toy.safetensors is damaged" in capsys.readouterr().out
    for name in [name for name in sys.modules if name.endswith(".toy")]:
        del sys.modules[name]
