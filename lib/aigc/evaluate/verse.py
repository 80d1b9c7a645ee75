"""Rhyme and tone of Chinese verse, as the characters are said in Mandarin today.

The poets of Tang heard other vowels and one tone more (入声), so their own verse does not reach 100 % here. What is
measured of a model stands beside what the same ruler measures of the poets. A character with several readings counts
with its commonest one: 還 is hái, not huán.
"""

from functools import lru_cache

from pypinyin import Style, pinyin

# The fourteen rhymes of the modern rhyme book (中华新韵, 2005): finals of one row rhyme.
RHYMES = [
    "a ia ua", "o e uo", "ie ve", "ai uai", "ei uei", "ao iao", "ou iou", "an ian uan van", "en in uen vn",
    "ang iang uang", "eng ing ueng ong iong", "i er v", "-i", "u",
]  # fmt: skip
_RHYME = {final: rhyme for rhyme in RHYMES for final in rhyme.split()}


@lru_cache(maxsize=10_000)
def rhyme(character: str) -> str:
    """The row of RHYMES to which a Chinese character belongs. Raises ValueError for what is not one."""
    _checked(character)
    initial = pinyin(character, style=Style.INITIALS, strict=False)[0][0]
    final = pinyin(character, style=Style.FINALS)[0][0]
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        final = "-i"  # written alike, said differently: 知 does not rhyme with 衣
    return _RHYME.get(final, final)  # a few interjections have a final of their own


@lru_cache(maxsize=10_000)
def level(character: str) -> bool:
    """Is it said in a level tone (平, today's first and second), or an oblique one (仄)? ValueError as in `rhyme`."""
    _checked(character)
    return pinyin(character, style=Style.FINALS_TONE3)[0][0][-1] in "12"


def rhymes(quatrain: str) -> bool:
    """Do lines 2 and 4 rhyme, on different characters? quatrain: 20 characters. Raises ValueError for others."""
    if len(quatrain) != 20:
        raise ValueError(f"a quatrain has 20 characters, not {len(quatrain)}")
    return quatrain[9] != quatrain[19] and rhyme(quatrain[9]) == rhyme(quatrain[19])


def alternates(quatrain: str) -> float:
    """In how many of the four lines do the second and the fourth character differ in tone, 0 .. 1? (二四不同)"""
    if len(quatrain) != 20:
        raise ValueError(f"a quatrain has 20 characters, not {len(quatrain)}")
    return sum(level(quatrain[i + 1]) != level(quatrain[i + 3]) for i in range(0, 20, 5)) / 4


def _checked(character: str) -> None:
    if len(character) != 1 or not "\u4e00" <= character <= "\u9fff":
        raise ValueError(f"expected one Chinese character, not {character!r}")
