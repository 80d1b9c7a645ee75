"""The reference of the text benchmark is what it claims to be, and the benchmark measures and refuses as it says."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from aigc import data
from aigc.codecs import events, notes
from aigc.models import gpt
from aigc.train import train
from benchmarks import dcgan, image, melody, music, text
from benchmarks.plain import Plain, PlainConfig


def plain():
    torch.manual_seed(0)
    model = Plain(PlainConfig(vocab=11, context=13, layers=2, heads=3, width=21)).double()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.5)
    return model


def test_reference_has_the_size_that_nanogpt_reports():
    model = Plain(PlainConfig(65))
    inside = sum(weight.numel() for name, weight in model.named_parameters() if "place" not in name)
    assert inside == 65 * 128 + 4 * (12 * 128**2 + 2 * 128) + 128  # 0.80 million, without positions


def test_reference_cannot_see_the_future_and_its_cache_changes_nothing():
    model, ids = plain(), torch.randint(11, (2, 7))
    whole, cache = model(ids), gpt.Cache()
    changed = ids.clone()
    changed[0, 5] = (ids[0, 5] + 1) % 11
    moved = (model(changed) - whole).abs().amax(-1)[0]
    assert moved[:5].max() == 0 and (moved[5:] > 0).all()
    parts = torch.cat(
        [model(ids[:, :3], cache=cache), *(model(ids[:, t : t + 1], cache=cache) for t in range(3, 7))], 1
    )
    assert torch.allclose(parts, whole, atol=1e-5)


def test_schedules_are_those_published():
    rate = [text.RATE * text.cosine(iteration / 2000) for iteration in (0, 50, 100, 1050, 2000)]
    assert rate == pytest.approx([0, 5e-4, 1e-3, 5.5e-4, 1e-4])
    assert [text.linear(spent) for spent in (0.01, 0.02, 0.52)] == pytest.approx([0.495, 0.98, 0.48])


def test_loss_is_that_of_the_whole_last_tenth():
    corpus = text.Corpus(data.shakespeare("test")[:7001])
    uniform = lambda ids: torch.zeros(*ids.shape, len(corpus.codec.vocab))
    assert corpus.loss(uniform) == pytest.approx(math.log(len(corpus.codec.vocab)))
    assert len(corpus.held_out) == 701 and len(corpus.learn) == 6300
    asked = []
    knows = lambda ids: asked.append(ids) or torch.zeros(*ids.shape, 99)
    corpus.loss(knows)
    assert torch.equal(torch.cat(asked).flatten(), corpus.held_out[:640])  # each once


def test_the_loop_of_the_ablations_is_the_course_s_loop():
    corpus = text.Corpus(data.shakespeare("test")[:9000])
    models = []
    for _ in range(2):
        torch.manual_seed(0)
        models.append(text.ours(corpus))
    recipe = text.recipe(0, 7, fast=False)
    batches = [corpus.batch(4, torch.Generator().manual_seed(step)) for step in range(7)]
    train(models[0], lambda model, step, generator: gpt.loss(model, batches[step]), recipe, progress=False)
    given = iter(batches)
    corpus.batch = lambda size, generator: next(given)
    text.loop(corpus, models[1], text.make_optimizers(models[1], recipe), text.linear, 4, 0, steps=7)
    for a, b in zip(models[0].parameters(), models[1].parameters()):
        assert torch.allclose(a, b, atol=1e-6)


def test_first_at_takes_the_first_measurement_that_is_low_enough():
    curve = [(10, 1.0, 2.5), (20, 2.0, 1.9), (30, 3.0, 1.8)]
    assert text.first_at(curve, 1.9) == 2.0 and text.first_at(curve, 1.0) is None


def test_the_benchmark_measures_everything_that_its_table_shows(capsys, monkeypatch):
    given, ablations = [], text.ablations
    monkeypatch.setattr(text, "ablations", lambda corpus, seconds: given.append(seconds) or ablations(corpus, seconds))
    found = text.measure(
        data.shakespeare("test")[:9000], repeats=2, iterations=60, steps=1, length=9, batches=(1, 2, 3)
    )
    assert len(found["races"]) == 2 and len(found["races"][0]["reference"]) == 4
    ours = [race["ours"][-1][1] for race in found["races"]]
    assert given == [found["ablations"]["seconds"]] == [sum(ours) / 2]  # the time of ours, not that of the reference
    assert all(loss < 5 for loss in found["ablations"]["loss"].values()) and len(found["ablations"]["loss"]) == 12
    for model in ("ours", "reference"):
        assert found["decoding"][model]["largest_difference"] < 1e-5
    page = text.page(json.loads(json.dumps({"one": found, "other": found})))
    assert page.count("optimizer: AdamW, rate 0.001") == page.count("Median ratio:") == 2 and "| other |" in page


def test_cached_decoding_is_exact_and_reads_each_token_once():
    model, read = gpt.GPT(gpt.Config(65, 512, 4, 4, 128)), []
    model.register_forward_pre_hook(lambda module, ids: read.append(ids[0].size(1)))
    found = text.decoding(model, 100, batches=())
    assert found["largest_difference"] < 1e-5
    assert read == 2 * ([*range(1, 101)] + [1] * 100)  # uncached, cached, and once more: a clock would be no test


@pytest.mark.parametrize("damage, says", [("missing", "there is no file"), ("folder", "no folder"), ("short", "tenth")])
def test_what_cannot_be_measured_is_refused_before_it_takes_time(tmp_path, capsys, damage, says):
    corpus, out = tmp_path / "corpus.txt", tmp_path / "out.json"
    corpus.write_text("to be or not to be " * (5 if damage == "short" else 500))
    if damage == "missing":
        corpus.unlink()
    if damage == "folder":
        out = tmp_path / "nowhere" / "out.json"
    with pytest.raises(SystemExit):
        text.main(["--corpus", str(corpus), "--json", str(out)])
    assert says in capsys.readouterr().err and not out.exists()


def test_the_reference_of_images_has_the_shapes_of_the_article_cut_to_28_pixels():
    torch.manual_seed(0)
    G, D = dcgan.forger(), dcgan.detective()
    shapes, hooks = [], []
    for layer in G:
        hooks.append(layer.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:]))))
    made = G(torch.randn(5, dcgan.NOISE))
    assert [shape for shape in dict.fromkeys(shapes) if len(shape) == 3] == [
        (64, 7, 7), (32, 14, 14), (16, 28, 28), (1, 28, 28)
    ]  # fmt: skip
    assert made.abs().max() <= 1 and D(made).shape == (5, 1)
    G, steps = dcgan.learn(torch.rand(70, 1, 28, 28) * 2 - 1, seconds=0.2, seed=0)
    assert steps >= 1 and not G.training


def test_the_benchmark_of_images_writes_samples_and_a_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(image, "MANY", 60)
    monkeypatch.setattr(image, "CLOUD", 50)
    monkeypatch.setattr(image, "PART", 30)
    assert image.main(["--seconds", "0.05", "--seed", "3", "--out", str(tmp_path / "new")]) == 0
    rows = json.loads((tmp_path / "new" / "image.json").read_text())
    assert list(rows) == ["held-out digits (1,000)", "reference_gan", "gan", "vae", "flow"]
    calls = {}
    for name in list(rows)[1:]:
        with np.load(tmp_path / "new" / f"{name}.npz") as file:
            assert file["images"].shape == (60, 28, 28) and file["images"].dtype == np.uint8
            assert set(file["labels"]) == ({-1} if name == "reference_gan" else set(range(10)))
            calls[name] = file["network_calls"].item()
            assert 0.05 <= file["train_seconds"].item() < 30
    assert calls == {"reference_gan": 1, "gan": 1, "vae": 1, "flow": 25}
    page = (tmp_path / "new" / "image.md").read_text()
    assert "| flow |" in page and "1/1.0" in page and "seed 3" in page and capsys.readouterr().out.endswith(page + "\n")
    assert 0.97 < rows["held-out digits (1,000)"]["label_accuracy"] <= 1


def test_each_change_of_the_ladder_is_added_to_those_before(monkeypatch):
    asked = []
    monkeypatch.setattr(image, "ours", lambda made, seconds, seed, **options: asked.append((made, options)))
    monkeypatch.setattr(image, "reference", lambda seconds, seed: None)
    monkeypatch.setattr(image, "measured", lambda judge, run, seed: (None, None, {}))
    rows = image.steps(0.1, 0)
    assert len(rows) == 1 + len(image.gan.LADDER) + len(image.digits.LADDER)
    last = {made: options for made, options in asked}
    kept = {key: value for key, value in last[image.gan].items() if key not in ("recipe", "draw")}
    assert kept == dict(penalty=1.0, most=1, statistic=True)  # as it is shipped, but for the noise
    for made in (image.gan, image.digits):
        assert all(getattr(made.RECIPE, key) == value for key, value in last[made]["recipe"].items())
    made = image.digits
    minute = {key: value for key, value in last[made].items() if key not in ("recipe", "draw", "centre")}
    assert minute | {"draw": made.MINUTE["draw"]} == made.MINUTE
    assert last[made]["draw"] == made.MINUTE["draw"] | dict(between=made.BETWEEN, steps=made.STEPS)
    shipped = [options for other, options in asked if other is made][4]  # those after it are for a minute
    assert shipped["draw"] == dict(guidance=made.GUIDANCE, between=made.BETWEEN, steps=made.STEPS)
    assert not set(made.MINUTE) & set(shipped) - {"draw"}


def test_a_benchmark_without_time_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        image.main(["--seconds", "0", "--out", str(tmp_path)])
    assert "must be positive" in capsys.readouterr().err


def test_machines_of_music_are_of_one_size_and_are_asked_alike():
    sizes, song = [], torch.stack([torch.randint(1, size, (9,)) for size in events.SIZES], -1)
    for start, loss, nats, _ in melody.MACHINES.values():
        torch.manual_seed(0)
        model = start()
        sizes.append(sum(weight.numel() for weight in model.parameters()))
        cost = nats(model, song)
        assert cost.shape == (8,) and cost.mean().item() == pytest.approx(_all_but_first(model, loss, song), rel=1e-4)
    assert max(sizes) / min(sizes) < 1.02


def _all_but_first(model, loss, song) -> float:
    """Nats a note by the loss that is trained, which for tokens counts two of the first note's parts as well."""
    with torch.no_grad():
        value = loss(model, song[None]).item()
    if not isinstance(model, gpt.GPT):
        return value
    row = (song + melody.FIRST).flatten()[None]
    with torch.no_grad():
        nats = nn.functional.cross_entropy(model(row[:, :-1])[0], row[0, 1:], reduction="none")
    assert value == pytest.approx(nats.mean().item(), rel=1e-4)
    return nats[2:].sum().item() / (len(song) - 1)


def test_melody_measures_what_a_run_has_learnt(tmp_path, monkeypatch):
    songs = [song[:30] for song in melody.melodies("validation")[:4]]
    found = melody.measure("LSTM", 2.0, 0, songs, songs)
    assert found["steps"] > 10 and 0 < found["bits"] < math.log2(np.prod(events.SIZES))


@pytest.fixture(scope="module")
def few():
    pieces = sorted(data.chorales("validation"), key=lambda piece: piece.steps)[:3]
    some = [notes.rows(piece) for piece in pieces]
    sides = {name: some for name in ("as they stand", "in all keys", "validation", "test")}
    return sides | {"grids": [notes.to_grid(piece.notes) for piece in pieces]}


def test_both_models_of_chorales_are_asked_about_every_voice_at_every_step(few):
    torch.manual_seed(0)
    reference = music.Reference()
    nn.init.zeros_(reference.decoder.weight)
    assert music.reference_nats(reference, few["test"]) == pytest.approx(math.log(notes.VOCABULARY + 1))
    model = music.train_ours(few["test"], dict(steps=1), 0)  # one step at the lowest rate
    assert music.our_nats(model, few["test"]) == pytest.approx(math.log(notes.VOCABULARY), abs=0.1)
    row = music.corpus(few["test"], np.random.default_rng(1))
    assert len(row) == sum(4 * (len(piece) - 1) + 1 for piece in few["test"])  # a mark and every voice at every step
    marks = np.flatnonzero(row == music.MARK)
    assert marks[0] == 0 and sorted(np.diff([*marks, len(row)])) == sorted(4 * len(piece) - 3 for piece in few["test"])
    first = next(p for p in few["test"] if 4 * len(p) - 3 == np.diff([*marks, len(row)])[0])
    assert (notes.decode(row[1 : marks[1]].numpy()) == notes.unchords(first[1:, :4])).all()


def test_the_reference_has_the_published_settings():
    sizes = {name: tuple(weight.shape) for name, weight in music.Reference().named_parameters()}
    assert sizes["encoder.weight"] == (61, 200) and sizes["rnn.weight_hh_l1"] == (800, 200)
    assert (music.ROWS, music.BPTT, music.RATE, music.CLIP) == (20, 35, 20.0, 0.25)


def test_music_measures_everything_that_its_table_shows(few):
    some = ("reference: LSTM", "ours", "told nothing")
    runs = {name: [music.measure(name, dict(seconds=1.5), 0, few, steps=20)] for name in some}
    assert all(run["nats"] < math.log(60) and run["steps"] > 2 for [run] in runs.values())
    assert "music" not in runs["told nothing"][0] and runs["ours"][0]["music, walled"]["parallels"] in (0, None)
    whole = dict(machine="a machine", seconds=1.5, bach=music.of_bach(few["grids"]), runs=runs)
    page = music.table(json.loads(json.dumps(whole)))
    assert page.count("| reference: LSTM |") == page.count("| ours |") == 2 and "| ours, walled |" in page
    assert "Bach, 37 whole pieces" in page and "TonicNet" in page
    names = [line.split("|")[2:8] for line in page.splitlines() if line.startswith("| machine | parallels")]
    assert len(names) == 1 and whole["bach"]["leaps"] < 5


def test_music_without_a_folder_is_refused(tmp_path, capsys):
    for arguments in (["--json", str(tmp_path / "no" / "out.json")], ["--seconds", "0", "--json", str(tmp_path / "o")]):
        with pytest.raises(SystemExit):
            music.main(arguments)
    assert "there is no folder" in capsys.readouterr().err and not list(tmp_path.iterdir())
