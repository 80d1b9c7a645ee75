"""The released models: what is shipped loads, keeps its promises, and is refused when damaged."""

import json
import math
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel, GPT2Tokenizer

from aigc import data, released, sample
from aigc.codecs import notes
from aigc.codecs.text import CharCodec
from aigc.evaluate.text import nats_per_token
from aigc.models.gpt import GPT, GPTConfig, loss

NAMES = ("chorales", "digits", "shakespeare", "verse")


@pytest.mark.parametrize("name", NAMES)
def test_shipped_model_is_small_whole_and_has_its_card(name):
    path = released.FOLDER / f"{name}.safetensors"
    assert path.stat().st_size < 5e6
    model, _ = released.load(name)
    assert not model.training and all(w.dtype == torch.float32 for w in model.parameters())
    card = (released.FOLDER / f"{name}.md").read_text(encoding="utf-8")
    for word in ("Data", "Command", "Minutes", "Held out", "Limits", f"make checkpoints ARGS={name}"):
        assert word in card, f"{name}.md does not say {word!r}: run `make checkpoints`"


def test_the_index_lists_every_file_and_no_other():
    index = json.loads((released.FOLDER / "index.json").read_text())
    assert set(index) == set(NAMES) == {path.stem for path in released.FOLDER.glob("*.safetensors")}


def test_text_and_music_predict_what_is_held_out_far_better_than_chance():
    model, vocab = released.load("shakespeare")
    ids = torch.tensor(CharCodec(vocab).encode(data.shakespeare("test")[:20_000]))
    assert nats_per_token(model, ids, model.config.context) / math.log(2) < 2.4  # letters alone: about 4.7
    model, _ = released.load("chorales")
    piece = data.chorales("test")[0]
    ids = torch.from_numpy(notes.encode(notes.to_grid(piece.notes, piece.steps)))
    side = torch.from_numpy(notes.side(piece.steps, piece.pickup, piece.steps_per_bar))
    assert nats_per_token(model, ids, model.config.context, side) / math.log(2) < 1  # notes alone: about 2.2


def test_the_model_in_gpt2_s_format_is_one_for_transformers():
    folder = released.FOLDER / "gpt2"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 5e6
    card = (released.FOLDER / "gpt2.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("Data", "Minutes", "Held out", "Limits", "make checkpoints ARGS=gpt2"))
    tokenizer, model = GPT2Tokenizer.from_pretrained(folder), GPT2LMHeadModel.from_pretrained(folder)
    text = data.shakespeare("test")[:20_000].replace("\n\n", tokenizer.eos_token)
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
    path = folder / "chorales.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match="chorales.safetensors is damaged.*make checkpoints"):
        released.load("chorales", folder)


def test_another_version_is_refused_by_name(folder):
    path = folder / "shakespeare.safetensors"
    with safe_open(path, "pt") as file:
        metadata = {**file.metadata(), "version": "0"}
    save_file(load_file(path), path, metadata)
    with pytest.raises(ValueError, match="version 0, this code reads 1"):
        released.load("shakespeare", folder)


def test_unknown_names_are_refused_with_the_known_ones(folder):
    with pytest.raises(FileNotFoundError, match="chorales, digits, shakespeare"):
        released.load("mona_lisa", folder)


def test_what_is_saved_is_loaded_to_the_precision_of_bfloat16(tmp_path):
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab=5, context=3, layers=1, heads=1, width=14, side=(2, 3)))
    released.save("small", model, "abcde", tmp_path)
    again, vocab = released.load("small", tmp_path)
    assert vocab == "abcde" and again.config == model.config
    for a, b in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b.bfloat16().float())
    assert {path.name for path in tmp_path.iterdir()} == {"small.safetensors", "index.json"}
