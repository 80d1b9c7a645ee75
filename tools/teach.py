"""A folder for teaching with nbgrader: `python -m tools.teach FOLDER` makes it, or brings its sheets up to date.

The folder receives nbgrader_config.py and source/NN_slug/NN_slug.ipynb for each sheet, from which nbgrader releases the
same sheets that the course has. Nothing else in the folder is touched: submissions, marks, and sheets of your own.
"""

import sys
from pathlib import Path

from nbformat import NotebookNode

from . import notebooks
from .exercises import CONFIG as OURS
from .exercises import derive
from .notebooks import read, write

CONFIG = '''"""nbgrader reads this. Run its commands in this folder, with the course's environment activated."""

from pathlib import Path

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import ClearHiddenTests, GetGrades, NbGraderPreprocessor

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "aigc"
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.ClearSolutions.code_stub = STUB
c.ExecutePreprocessor.timeout = 300  # seconds a cell
c.ExecutePreprocessor.interrupt_on_timeout = True  # what never ends earns nothing, and the next cell is graded
# Collected are files named STUDENT_NN_slug.ipynb, as ada_01_concepts.ipynb; a student's name has no underscore.
c.FileNameCollectorPlugin.named_regexp = r".*?(?P<student_id>[^/\\\\_]+)_(?P<file_id>\\d\\d_\\w+)"


class Hints(NbGraderPreprocessor):
    """Of an error its words are shown: the lines around it are those of the hidden tests."""

    def preprocess_cell(self, cell, resources, index):
        for output in cell.get("outputs", []):
            if output.output_type == "error" and cell.metadata.get("nbgrader", {}).get("grade"):
                output.traceback = [f"{output.ename}: {output.evalue}"]
        return cell, resources


GenerateFeedback._preprocessors_default = lambda self: [GetGrades, ClearHiddenTests, Hints, CSSHTMLHeaderPreprocessor]
'''


def source(solution: Path) -> NotebookNode:
    """The solution, folded and tagged as its sheet is."""
    notebook = read(solution)
    for cell, of_sheet in zip(notebook.cells, derive(solution).cells, strict=True):
        cell.metadata = of_sheet.metadata
        if cell.cell_type == "markdown":
            cell.source = of_sheet.source
    return notebook


def main(arguments: list[str]) -> int:
    if "--help" in arguments:
        print(__doc__)
        return 0
    if len(arguments) != 1:
        print("name one folder, as in `make class ARGS=../class`")
        return 1
    folder = Path(arguments[0]).expanduser().resolve()
    if notebooks.ROOT in (folder, *folder.parents):
        print(f"{folder} lies in the course's own folder: name one outside it, as in `make class ARGS=../class`")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nbgrader_config.py"
    if not config.exists():
        config.write_text(CONFIG.replace("STUB", repr(OURS.ClearSolutions.code_stub)), encoding="utf-8")
    for solution in notebooks.sources([]):
        if solution.parent.name == "solutions":
            target = folder / "source" / solution.stem / f"{solution.stem}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            write(source(solution), target)
            print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
