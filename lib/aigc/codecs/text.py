"""Text <-> token ids: by characters, written here, and by byte pairs, from the tokenizers library."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


@dataclass(frozen=True)
class CharCodec:
    """One id per character: the id is the character's place in `vocab`."""

    vocab: str  # (V,) distinct characters, sorted

    def __post_init__(self):
        if not self.vocab or len(set(self.vocab)) != len(self.vocab):
            raise ValueError(f"a vocabulary is one or more characters, each once, not {self.vocab[:40]!r}")

    @cached_property
    def place(self) -> dict[str, int]:
        """The id of each character."""
        return {character: i for i, character in enumerate(self.vocab)}

    @classmethod
    def train(cls, text: str) -> "CharCodec":
        """The codec of the characters that occur in `text`. Raises ValueError if there are fewer than two."""
        if len(set(text)) < 2:
            has = f"a corpus of {len(text)} characters, {len(set(text))} of them different"
            raise ValueError(f"{has}, has nothing to predict. Give a text with at least two different characters.")
        return cls("".join(sorted(set(text))))

    def encode(self, text: str) -> list[int]:
        """The ids of `text`. Raises ValueError naming the characters that the codec has never seen."""
        unknown = sorted(set(text) - set(self.place))
        if unknown:
            raise ValueError(
                f"the model has never seen {' '.join(map(repr, unknown[:10]))}: it knows only these {len(self.vocab)} "
                f"characters: {self.vocab!r}. Write the prompt with them."
            )
        return [self.place[character] for character in text]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids in 0 .. V-1. Raises ValueError for others."""
        ids = [int(i) for i in ids]
        if any(not 0 <= i < len(self.vocab) for i in ids):
            raise ValueError(f"ids must lie in 0 .. {len(self.vocab) - 1}, got {min(ids)} .. {max(ids)}")
        return "".join(self.vocab[i] for i in ids)


def train_bpe(text: str, size: int) -> Tokenizer:
    """A byte-level BPE tokenizer of `size` tokens (Sennrich et al. 2016, doi:10.18653/v1/P16-1162).

    Any text can be encoded: the 256 bytes are tokens too. Raises ValueError if size < 256 or the text is empty.
    """
    if size < 256:
        raise ValueError(f"a byte-level vocabulary needs a size of at least 256, one for each byte, not {size}")
    if not text:
        raise ValueError("the corpus is empty: give a text to count byte pairs in")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    lines = text.splitlines(keepends=True)
    tokenizer.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    )
    return tokenizer
