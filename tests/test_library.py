"""The shape of the library: data -> codecs -> models -> train -> sample -> evaluate -> show, and under 5,000 lines."""

import ast

import pytest

from tools.notebooks import ROOT

LIBRARY = ROOT / "lib" / "aigc"
FILES = sorted(LIBRARY.rglob("*.py"))
ORDER = [
    "files",
    "score",
    "machine",
    "attention",
    "data",
    "codecs",
    "models",
    "released",
    "muon",
    "train",
    "sample",
    "evaluate",
    "engrave",
    "sound",
    "show",
    "pad",
    "course",
]
NOTEBOOKS = ("show", "pad", "course")
# Seen from the file on the left: what stands right of it must not be imported, nor what notebooks alone may import.


def imports(source: str, module: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The modules of aigc that a source imports, as paths below aigc: ("models", "gpt")."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ("aigc", *module[: len(module) - node.level]) if node.level else ()
            base = start + tuple(node.module.split(".") if node.module else ())
            names = [(*base, alias.name) for alias in node.names]
        found |= {name[1:] for name in names if name[0] == "aigc" and len(name) > 1}
    return found


def objections(source: str, module: tuple[str, ...]) -> list[str]:
    """What is wrong with the imports of a source. module: its path, such as ("models", "gpt")."""
    wrong, me = [], ORDER.index(module[0])
    for name in imports(source, module):
        if name[0] not in ORDER:
            continue  # a name defined in aigc/__init__.py
        it = ORDER.index(name[0])
        if it > me:
            wrong.append(f"{'.'.join(module)} imports {'.'.join(name)}, which stands to its right: hand it in instead")
        if name[0] == "data" and module[0] in ("codecs", "models", "show"):
            wrong.append(f"{'.'.join(module)} imports a corpus, {'.'.join(name)}: it has to serve every one")
        if name[0] in NOTEBOOKS and module[0] not in NOTEBOOKS:
            wrong.append(f"{'.'.join(module)} imports {name[0]}, which is for notebooks alone")
        if module[0] == name[0] == "models" and name[1:2] != module[1:2]:
            wrong.append(f"{'.'.join(module)} imports another model, {'.'.join(name)}: hand it in instead")
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_imports_point_to_the_left(path):
    module = path.relative_to(LIBRARY).with_suffix("").parts
    if module == ("__init__",):
        assert not imports(path.read_text(encoding="utf-8"), module)
        return
    assert objections(path.read_text(encoding="utf-8"), module) == []


@pytest.mark.parametrize(
    "source, module",
    [
        ("from ..train import train", ("models", "gpt")),
        ("from aigc import show", ("evaluate", "text")),
        ("import aigc.course", ("train",)),
        ("from .gpt import GPT", ("models", "unet")),
        ("from . import gpt", ("models", "unet")),
        ("def f():\n    from ..sample import ode", ("models", "flow")),
        ("from .. import evaluate", ("codecs", "text")),
        ("from ..data.chorales import VOICES", ("codecs", "notes")),
        ("from .data import digits", ("show",)),
        ("from .data.fetch import fetch_npm", ("files",)),
    ],
)
def test_wrong_imports_are_found(source, module):
    assert objections(source, module)


def test_the_map_of_the_library_is_complete():
    here = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert here - {"__init__"} == set(ORDER)


def test_the_library_stays_small():
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert sum(lines.values()) <= 5000, (
        f"{sum(lines.values())} lines of 5,000: what is used once belongs into a chapter"
    )
    assert max(lines.values()) <= 350, f"{max(lines, key=lines.get)} is longer than 350 lines: one idea a file"
