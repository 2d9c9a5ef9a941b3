"""The book's site for tests that look at it: rendered once, of the chapters as they are.

A chapter that was executed as it is now, by this run of the tests or by `make book`, is shown
with its figures; another one is rendered without outputs, which costs nothing and still shows its
prose, mathematics and links.
"""

import shutil
from pathlib import Path

import nbformat
import yaml

from symlib.book.building import chapter_names, render

ROOT = Path(__file__).resolve().parents[1]


def is_current(executed: Path, source: Path) -> bool:
    """Whether a notebook ran to its end from exactly these cells."""
    if not executed.is_file():
        return False
    ran, now = (
        nbformat.read(executed, as_version=4).cells,
        nbformat.read(source, as_version=4).cells,
    )
    ran = [cell for cell in ran if "injected-parameters" not in cell.metadata.get("tags", [])]
    finished = all(cell.execution_count for cell in ran if cell.cell_type == "code")
    return finished and [cell.source for cell in ran] == [cell.source for cell in now]


def render_site(folder: Path, executed: Path) -> Path:
    """Render the book under a folder; returns the site's folder."""
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    for name in chapter_names(ROOT):
        source = ROOT / "notebooks" / f"{name}.ipynb"
        ran = [place / source.name for place in (executed, ROOT / "_build" / "notebooks")]
        shown = next((path for path in ran if is_current(path, source)), source)
        shutil.copy(shown, folder / "notebooks" / source.name)
    return render(folder / "notebooks", folder / "html", root=ROOT).parent


def small_book(folder: Path, page: str) -> Path:
    """A book of one page with this book's extensions and configuration; returns its root.

    Its chapters belong into `notebooks`, executed ones into `executed`.
    """
    root = folder / "root"
    (root / "book" / "_ext").mkdir(parents=True)
    (root / "notebooks").mkdir()
    (root / "executed").mkdir()
    for path in (ROOT / "book" / "_ext").glob("*.py"):
        shutil.copy(path, root / "book" / "_ext")
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    for name in ("html_static_path", "html_css_files", "html_js_files"):
        config["sphinx"]["config"][name] = []
    (root / "_config.yml").write_text(yaml.safe_dump(config))
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (root / "book" / "bibliography.bib").touch()
    (root / "book" / "index.md").write_text(page)
    return root
