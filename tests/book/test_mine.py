"""What a reader may bring: the cells of each chapter that have the tag `mine` run with other inputs than its own."""

import re

import matplotlib
import pytest
import rules
from rules import ROOT

from tools.notebooks import read

# For each chapter, by its number: Python expressions to take the place of None. What must hold for any
# input, the chapter's cells assert themselves.
OTHERS = {
    "00": ["'T'", "'BOTH:\\nWe ' + 'know, ' * 100", "'\\n\\n!!'"],  # short; longer than the model can read; no words
    "01": [
        "'落霞与孤鹜齐飞，秋水共长天一色。\\n' * 60",
        "data.shakespeare('test')[:30_000]",
        "'ab' * 100 + 'c' * 20",  # what is kept for measuring has a letter that the rest has not
    ],
    "02": [
        "['moon,', 'cheese.', 'soon,', 'please!']",
        "['zzyzx', 'Q', ' a b c d e f g h i j k l m n o p q r s t u v w x y z']",  # letters that never stood together
    ],
    "03": [
        "'ANNA:\\nGood morrow, Bob.\\n\\nBOB:\\nGood Anna, '",
        "'T'",
        "'BOTH:\\nWe ' + 'know, ' * 100",
    ],
    "04": [
        "[[0.1 * i, (i % 7) ** 2] for i in range(40)]",  # in units of its own
        "np.random.default_rng(1).normal(50, 20, (300, 2))",
        "[[i, 0.0] for i in range(20)]",  # a straight line
    ],
    "05": [
        "[[0.1 * i, (i % 7) ** 2] for i in range(40)]",  # in units of its own
        "np.random.default_rng(1).normal(50, 20, (300, 2))",
        "[[i, 0.0] for i in range(20)]",  # a straight line
    ],
    "06": [
        "'C4 D4 E4:2 r F#4:1/2 G4:1/2 Bb3 C4:1/4 D4:3/4 | E4 F4 G4 A4 G5:4 C3 C3'",
        "(lambda path: notes.to_midi(data.chorales('test')[3].notes, 77).write(path) or path)"
        "(__import__('tempfile').mkdtemp() + '/song.mid')",
        "' '.join(['r:3 A5:1/4'] * 12)",
    ],
    "07": [
        "('Who was the first to walk on the moon? ' * 5, '秋水共長天')",
        "('?', '落霞孤鶩飛')",
        "('天為什麼是藍的？', '欲窮千里目')",  # another language; a rhyme that is an oblique tone
    ],
    "09": [
        "'C4 D4 E4:2 r F#4:1/2 G4:1/2 A4 G4:2 | C5 B4 A4:1/2 G4:1/2 F4 E4 D4 C4:4'",
        "(lambda path: notes.to_midi(data.chorales('test')[3].notes, 77).write(path) or path)"
        "(__import__('tempfile').mkdtemp() + '/song.mid')",
        "' '.join(['r:3 A5:1/4'] * 12)",
        "' '.join(['C3 B2'] * 8)",  # a bass's tune, put up by octaves
    ],
    "08": [
        "[[0.0, 0.9 - 0.05 * i] for i in range(16)]",  # a stroke in the upper half
        "np.random.default_rng(1).uniform(-1, 1, (40, 2))",  # dots all over
        "np.eye(28, dtype=np.uint8) * 255",  # a whole image
    ],
    "11": [
        "[('The dog barks.', 'The hound is loud.', 'The dog is silent.')] * 3",
        "[('秋水共长天一色。', '秋天的水和天空同色。', '秋水与长天不同色。'), ('a', 'b', 'c')]",
        "(lambda folder: [tuple((__import__('PIL.Image').Image.fromarray(image).save(f'{folder}/{i}{j}.png') "
        "or f'{folder}/{i}{j}.png') for j, image in enumerate(data.digits()[0][3 * i : 3 * i + 3])) "
        "for i in range(4)])(__import__('tempfile').mkdtemp())",  # pictures
    ],
}
TEMPLATE = ["[0, 0, 1]", "[1]"]


def play(notebook, other: str) -> dict:
    """Run the chapter's first cell and those with the tag `mine`, with another MINE. Returns what they have defined."""
    cells = rules.code(notebook)
    chosen = [cells[0], *(cell for cell in cells[1:] if "mine" in rules.tags(cell))]
    world = {"__name__": "chapter"}
    for cell in chosen:
        source = re.sub(r"^MINE = None.*$", lambda _: f"MINE = {other}", cell.source, flags=re.MULTILINE)
        try:
            exec(compile(source, "cell of a chapter", "exec"), world)
        except NameError as error:
            pytest.fail(f"{error}: give the cell that defines it the tag mine, or import it in the first cell")
    assert world["MINE"] is not None
    return world


@pytest.fixture(autouse=True)
def nothing_stays():
    """No window opens, and what a chapter sets for its figures ends with it."""
    matplotlib.use("Agg")
    with matplotlib.rc_context():
        yield


def template():
    return read(ROOT / "chapters" / "_template.py")


CHAPTERS = [p for p in rules.NOTEBOOKS if p.suffix == ".py" and p.parent.name == "chapters"]


def test_every_chapter_has_other_inputs():
    assert {path.stem[:2] for path in CHAPTERS} == set(OTHERS)
    assert all(len(others) >= 2 for others in OTHERS.values())


@pytest.mark.parametrize("path, other", [(path, other) for path in CHAPTERS for other in OTHERS.get(path.stem[:2], ())])
def test_a_chapter_takes_what_the_reader_brings(path, other):
    play(read(path), other)


@pytest.mark.parametrize("other", TEMPLATE)
def test_the_template_takes_what_the_reader_brings_and_its_assertions_are_met(other, capsys):
    world = play(template(), other)
    assert world["own"] == world["MINE"] and capsys.readouterr().out.splitlines()[-1].count("H") == sum(world["own"])


def test_an_assertion_that_must_hold_for_any_input_is_seen_to_fail():
    with pytest.raises(AssertionError):
        play(template(), "[2, 2]")
