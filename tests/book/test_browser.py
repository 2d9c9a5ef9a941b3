"""The site in a real browser: headless Chromium opens every page, wide and as on a phone."""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from book_site import render_site

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# CHROMIUM names one that is not on the PATH.
CHROMIUM = next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *NAMES))), None)
pytestmark = [
    pytest.mark.slow,
    # It looks at the chapters that were executed before it.
    pytest.mark.notebook,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason=f"no Chromium: none of {', '.join(NAMES)} is on the PATH, nor is CHROMIUM set",
    ),
]
WIDE, PHONE = 1280, 375

# What a page looks like once it stands still. Formulas are drawings that carry their own text.
FACTS = r"""() => {
  const label = (e) => e.outerHTML.slice(0, 160);
  const own = (e) => !e.closest("mjx-container") && !e.closest('[aria-hidden="true"]');
  const prose = document.querySelector("main").cloneNode(true);
  prose.querySelectorAll("pre, code, script, style, mjx-container").forEach((e) => e.remove());
  const right = document.documentElement.clientWidth;
  return {
    width: document.documentElement.scrollWidth,
    unnamed: [
      ...[...document.querySelectorAll("img")].filter((e) => !(e.alt || "").trim()),
      ...[...document.querySelectorAll("svg")].filter(
        (e) => own(e) && !e.getAttribute("aria-label") && !e.querySelector(":scope > title")),
    ].map(label),
    broken: [...document.querySelectorAll("img")].filter((e) => !e.naturalWidth).map(label),
    raw: [
      ...[...document.querySelectorAll(".math")]
        .filter((e) => !e.querySelector("mjx-container")).map(label),
      ...[...document.querySelectorAll("[data-mml-node=merror], mjx-merror")].map(label),
      ...(prose.textContent.match(/\\[([]|\$\$|\\(frac|mathbf|text)\b/g) || []),
    ],
    formulas: document.querySelectorAll("mjx-container").length,
    links: [...document.querySelectorAll("a[href]")].map((e) => e.href),
    ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
    wide: [...document.querySelectorAll("main *")]
      .filter((e) => !e.closest("pre") && e.getBoundingClientRect().right > right + 1)
      .slice(0, 5).map(label),
  };
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory, executed_chapters):
    """The site's folder."""
    return render_site(tmp_path_factory.mktemp("book"), executed_chapters)


@pytest.fixture(scope="module")
def browser(site):
    with playwright.sync_playwright() as driver:
        # A container has neither the kernel's sandbox nor a large shared memory.
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        running = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        yield running
        running.close()


@contextmanager
def opened(browser, path: Path, width: int = WIDE, **options):
    """A page of its own, with what went wrong on it under `problems`."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page, problems = context.new_page(), []

    def asked(request):
        if urlsplit(request.url).scheme not in ("file", "data", "blob"):
            problems.append(f"asks {request.url}")

    page.on("console", lambda said: problems.extend([said.text] * (said.type == "error")))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", asked)
    page.on("requestfailed", lambda request: problems.append(f"lacks {request.url}"))
    try:
        page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            page.evaluate("window.MathJax && MathJax.startup.promise")
        yield page, problems
    finally:
        context.close()


@pytest.fixture(scope="module")
def visits(browser, site):
    """(page, width) -> what was found there; every page at both widths."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        # The first page only leads on to the landing page.
        if "_static" in path.parts or path == site / "index.html":
            continue
        for width in (WIDE, PHONE):
            with opened(browser, path, width) as (page, problems):
                facts = SimpleNamespace(**page.evaluate(FACTS), problems=problems)
                found[path.relative_to(site).as_posix(), width] = facts
    return found


def test_every_page_is_there(visits, site):
    pages = {page for page, _ in visits}
    assert {"book/index.html", "book/showcase.html", "notebooks/01_nbody.html"} <= pages
    sources = {path.stem for path in (site / "_sources").rglob("*.*") if path.suffix != ".rst"}
    assert sources <= {Path(page).stem for page in pages}


def test_the_first_page_leads_to_the_landing_page(browser, site):
    with opened(browser, site / "index.html", java_script_enabled=False) as (page, _):
        page.wait_for_url("**/book/index.html")
        assert page.locator("h1").last.is_visible()


@pytest.mark.parametrize("fault", ["problems", "unnamed", "broken", "raw"])
def test_no_page_complains_lacks_a_picture_or_shows_raw_mathematics(visits, fault):
    found = {where: getattr(facts, fault) for where, facts in visits.items()}
    assert not {where: faults for where, faults in found.items() if faults}


def test_mathematics_is_typeset(visits):
    assert visits["notebooks/01_nbody.html", WIDE].formulas > 10
    assert visits["book/showcase.html", PHONE].formulas >= 2


def test_nothing_is_wider_than_a_phone(visits):
    over = {
        page: (facts.width, facts.wide)
        for (page, width), facts in visits.items()
        if facts.width > width
    }
    assert not over


def test_no_link_within_the_site_is_broken(visits, site):
    wide = {page: facts for (page, width), facts in visits.items() if width == WIDE}
    broken = set()
    for page, facts in wide.items():
        for link in facts.links:
            address, fragment = urldefrag(link)
            parts = urlsplit(address)
            if parts.scheme != "file":
                continue
            target = Path(unquote(parts.path))
            name = target.relative_to(site).as_posix() if target.is_file() else None
            ids = wide[name].ids if name in wide else [unquote(fragment)]
            if name is None or (fragment and unquote(fragment) not in ids):
                broken.add(f"{page} -> {link}")
    assert not broken, "\n".join(sorted(broken))


def test_an_equation_is_referred_to_by_its_number(browser, site):
    with opened(browser, site / "book" / "your_own_law.html") as (page, _):
        reference = page.locator("a.reference[href='#equation-yukawa']")
        assert re.fullmatch(r"\(\d+\)", reference.inner_text())
        assert page.locator("#equation-yukawa mjx-container").count() == 1


def test_the_pareto_front_answers_pointer_and_keyboard(browser, site):
    with opened(browser, site / "book" / "engines.html") as (page, problems):
        figure = page.locator("div.pareto").first
        points, said = figure.locator("g.point"), figure.locator(".pareto-said")
        chosen = said.inner_text()
        assert points.count() > 5 and "selected" in chosen
        for index in (0, 3, points.count() - 1):
            point = points.nth(index)
            point.hover()
            assert point.get_attribute("data-equation") in said.inner_text()
            assert point.get_attribute("data-facts") in said.inner_text()
        page.mouse.move(0, 0)
        assert said.inner_text() == chosen

        figure.locator("g.point.selected").focus()
        page.keyboard.press("ArrowRight")
        assert said.inner_text() != chosen
        page.keyboard.press("Escape")
        assert said.inner_text() == chosen and not problems


def test_the_pareto_front_answers_a_finger(browser, site):
    with opened(browser, site / "book" / "engines.html", PHONE, has_touch=True) as (page, _):
        figure = page.locator("div.pareto").first
        point = figure.locator("g.point").last
        point.tap()
        assert point.get_attribute("data-equation") in figure.locator(".pareto-said").inner_text()


def test_the_showcase_is_filtered_by_field(browser, site):
    with opened(browser, site / "book" / "showcase.html") as (page, problems):
        papers = page.locator("div.paper:visible")
        total = papers.count()
        assert total >= 8
        page.get_by_role("button", name=re.compile("cosmology")).click()
        fields = page.locator("div.paper:visible .paper-field").all_inner_texts()
        assert 0 < len(fields) < total and set(fields) == {"cosmology"}
        assert f"{len(fields)} of {total} papers" in page.get_by_role("status").inner_text()
        page.get_by_role("button", name=re.compile("all")).click()
        assert papers.count() == total and not problems


def test_pages_are_whole_without_scripts(browser, site):
    off = {"java_script_enabled": False}
    with opened(browser, site / "book" / "showcase.html", **off) as (page, _):
        assert page.locator("div.paper:visible").count() >= 8
        assert page.locator(".paper-filter").count() == 0
    with opened(browser, site / "book" / "engines.html", **off) as (page, _):
        figure = page.locator("div.pareto").first
        assert figure.locator("svg").bounding_box()["height"] > 200
        assert figure.locator("g.point title").count() == figure.locator("g.point").count()
        assert "complexity" in figure.locator(".pareto-said").inner_text()


def test_the_landing_page_has_totals_and_times(browser, site):
    with opened(browser, site / "book" / "index.html") as (page, _):
        text = page.locator("main").inner_text()
        assert "Table 1: messages and forces" in text and "not yet run" in text
        chapters = sorted(path.stem for path in (site / "notebooks").glob("[0-9]*.html"))
        for name in chapters:
            row = page.locator(f"table tr:has(a[href$='{name}.html'])")
            assert re.search(r"minute", row.inner_text()), name


def test_a_printed_page_is_the_page_alone(browser, site):
    with opened(browser, site / "notebooks" / "01_nbody.html", 794) as (page, _):
        page.emulate_media(media="print")
        for part in (".bd-sidebar-primary", ".header-article__inner", ".bd-sidebar-secondary"):
            for shown in page.locator(part).all():
                assert not shown.is_visible(), part
        assert page.evaluate("document.documentElement.scrollWidth") <= 794
        assert page.locator("h1").first.is_visible()
