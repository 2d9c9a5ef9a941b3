"""Parts of pages that are made from files when the book is rendered.

    ```{showcase} papers.yml          the papers of that file, beside the page
    ```{scoreboard-totals}            how the paper's tables stand, from the records
    ```{pareto-front} a/record.json   the front that a record holds, as an interactive figure
    ```{film} spring.json             a film under _static/film; :playing: shows it as a loop

What is wrong with a file is an error of the page that asks for it, and fails the build.
"""

from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from symlib.errors import InputError


class FromFile(SphinxDirective):
    """A part of a page that is made from a file."""

    def errors(self, text: str) -> list[nodes.Node]:
        # One for each line, since a log is read by its lines.
        report = self.state_machine.reporter.error
        return [report(line, line=self.lineno) for line in text.splitlines()]

    def beside(self, name: str) -> Path:
        """A file named from the page's folder; the page is made anew when it changes."""
        path = Path(self.env.doc2path(self.env.docname)).parent / name
        self.env.note_dependency(str(path))
        return path

    def chapters(self) -> list[str]:
        """The chapters that the table of contents lists; a link to another one leads nowhere."""
        pages = sorted(self.env.found_docs)
        return [page.split("/")[1] for page in pages if page.startswith("notebooks/")]


class Written(FromFile):
    """What a subclass writes by `markdown`, read as if it stood on the page."""

    def run(self) -> list[nodes.Node]:
        try:
            text = self.markdown()
        except InputError as problem:
            return self.errors(str(problem))
        part = nodes.container(classes=[self.name])
        # The theme's `container` class narrows a box; this one is only there for its name.
        part["is_div"] = True
        self.state.nested_parse(StringList(text.splitlines(), self.name), 0, part)
        return [part]


class Showcase(Written):
    """The papers of a YAML file, which lies beside the page."""

    required_arguments = 1

    def markdown(self) -> str:
        from symlib.book.showcase import read_papers, showcase

        return showcase(read_papers(self.beside(self.arguments[0]), self.chapters()))


class ScoreboardTotals(Written):
    """The totals of the scoreboard."""

    def markdown(self) -> str:
        from symlib.papers.cranmer2020.pages.scoreboard import read_board, totals

        return totals(read_board())


class ParetoFront(FromFile):
    """The Pareto front of a record, which lies under the page's folder."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from symlib.book.interactive import pareto_html
        from symlib.records.record import read_record

        path = self.beside(self.arguments[0])
        try:
            record = read_record(path)
            title = f"{record['law']}-{record['dim']}, {record['model']}"
            drawn = pareto_html(record["front"], selected=record["complexity"], title=title)
        except KeyError as missing:
            return self.errors(f"{path.name}: the record of one discovery is needed, no {missing}")
        except InputError as problem:
            return self.errors(str(problem))
        return [nodes.raw("", drawn, format="html")]


class Film(FromFile):
    """A film by its record in the book's _static/film; the body is its caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"playing": directives.flag}

    def run(self) -> list[nodes.Node]:
        from symlib.papers.cranmer2020.film.making import film_html, read_film

        path = Path(self.env.srcdir) / "book" / "_static" / "film" / self.arguments[0]
        self.env.note_dependency(str(path))
        up = "../" * self.env.docname.count("/")
        try:
            drawn = film_html(read_film(path), f"{up}_static/film", "playing" in self.options)
        except InputError as problem:
            return self.errors(str(problem))
        caption = nodes.container(classes=["caption"])
        caption["is_div"] = True
        self.state.nested_parse(self.content, self.content_offset, caption)
        return [nodes.raw("", drawn, format="html"), caption]


def without_thebe(app, page, template, context, doctree) -> None:
    """Leave out the scripts of Thebe, which runs cells on a Binder that this book has not.

    They would be there twice, which is an error in the reader's browser.
    """
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script} {getattr(script, 'attributes', {}).get('body')}"
    ]


def setup(app) -> dict:
    app.connect("html-page-context", without_thebe, priority=900)
    app.add_directive("showcase", Showcase)
    app.add_directive("scoreboard-totals", ScoreboardTotals)
    app.add_directive("pareto-front", ParetoFront)
    app.add_directive("film", Film)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
