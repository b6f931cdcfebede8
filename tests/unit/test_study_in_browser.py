"""The study's page in a real browser: it says nothing, asks for nothing, sorts, enlarges, turns dark, fits a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from browser import NAMES, Tab, executable, opened
from made_results import TEMPLATE, write_study

from robustness.pages import files, page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(executable() is None, reason=f"no browser is installed (looked for {', '.join(NAMES)})"),
]
TABLE = (
    "[...document.querySelectorAll('#robustness table.sortable')]"
    ".find(each => each.tHead.textContent.includes('Change per pixel, median'))"
)
COLOUR = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    spec = write_study(folder)
    text = page.page(files.read(folder, spec, TEMPLATE.parent, folder), spec, TEMPLATE, "docs/claims.md")
    (folder / "study.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab, results: Path) -> Tab:
    browser.size(1280, 900)
    browser.prefer("light")
    browser.said.clear()
    browser.requested.clear()
    browser.open(results / "study.html")
    return browser


def edited(results: Path, before: str, after: str) -> Path:
    """The page with a mistake in it."""
    text = (results / "study.html").read_text(encoding="utf-8")
    assert before in text
    path = results / "edited.html"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return path


def requests(tab: Tab) -> list[str]:
    return [address for address in tab.requested if not address.startswith("data:")]


def frame(tab: Tab) -> None:
    """Let the page go on until it has been drawn again."""
    tab.run("new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))")


def eventually(tab: Tab, expression: str) -> bool:
    """Whether an expression comes to be true within some hundred frames."""
    return any(tab.run(expression) or frame(tab) for _ in range(200))


def heard(tab: Tab) -> bool:
    """Whether the page says something within some hundred frames."""
    return any(tab.said or frame(tab) for _ in range(200))


def order(tab: Tab, column: int) -> Any:
    return tab.run(f"[...{TABLE}.tBodies[0].rows].map(row => row.cells[{column}].dataset.sort)")


def click(tab: Tab, column: int) -> None:
    tab.run(f"{TABLE}.tHead.rows[0].cells[{column}].querySelector('button').click()")


def test_the_page_says_nothing_on_the_console_and_asks_for_no_other_file(tab: Tab, results: Path) -> None:
    frame(tab)
    assert tab.said == []
    assert requests(tab) == [(results / "study.html").as_uri()]
    assert tab.run("[...document.images].filter(image => image.alt && !image.naturalWidth).length") == 0


@pytest.mark.parametrize(
    "mistake",
    ["<script>throw new Error('x')</script>", "<script>console.log('x')</script>", "<img src='http://x.invalid/'>"],
)
def test_a_mistake_in_the_page_would_be_noticed(tab: Tab, results: Path, mistake: str) -> None:
    tab.open(edited(results, "</body>", f"{mistake}</body>"))
    assert heard(tab)


def test_the_policy_of_the_page_is_what_keeps_requests_away(tab: Tab, results: Path) -> None:
    tab.open(edited(results, "default-src 'none'; img-src data:", "default-src *; img-src *"))
    tab.run("new Promise(done => Object.assign(new Image(), {onerror: done, src: 'http://127.0.0.1:9/x.png'}))")
    assert "http://127.0.0.1:9/x.png" in tab.requested
    tab.requested.clear()
    tab.open(results / "study.html")
    tab.run("new Promise(done => Object.assign(new Image(), {onerror: done, src: 'http://127.0.0.1:9/x.png'}))")
    assert tab.said != []


def test_a_click_on_a_heading_sorts_the_rows_and_another_turns_them_around(tab: Tab, results: Path) -> None:
    table = pandas.read_csv(results / "mnist" / "tables" / "robustness.csv")
    medians = table[table["required_confidence"] == 0.9]["median_mean_change"]
    shown = tab.run(f"[...{TABLE}.tHead.rows[0].cells].map(cell => cell.textContent)")
    column = shown.index("Change per pixel, median")
    head = f"{TABLE}.tHead.rows[0].cells[{column}]"
    assert tab.run(f"{head}.getAttribute('aria-sort')") is None
    click(tab, column)
    assert [float(each) for each in order(tab, column)] == sorted(medians, reverse=True)
    assert tab.run(f"{head}.getAttribute('aria-sort')") == "descending"
    click(tab, column)
    assert [float(each) for each in order(tab, column)] == sorted(medians)
    assert tab.run(f"{head}.getAttribute('aria-sort')") == "ascending"
    click(tab, 0)
    assert order(tab, 0) == sorted(order(tab, 0), key=str.casefold)
    assert tab.run(f"{head}.getAttribute('aria-sort')") is None


def test_infinite_and_missing_numbers_sort_as_largest_and_last(tab: Tab) -> None:
    tab.run(
        f"const body = {TABLE}.tBodies[0]; const values = ['inf', '', '2', '-1', '10'];"
        "for (const value of values.slice(2)) body.append(body.rows[0].cloneNode(true));"
        "values.forEach((value, n) => { body.rows[n].cells[1].dataset.sort = value; })"
    )
    click(tab, 1)
    assert order(tab, 1) == ["inf", "10", "2", "-1", ""]
    click(tab, 1)
    assert order(tab, 1) == ["-1", "2", "10", "inf", ""]


def test_a_heading_is_sorted_by_the_keyboard(tab: Tab) -> None:
    tab.run(f"{TABLE}.tHead.rows[0].cells[4].querySelector('button').focus()")
    tab.press("Enter")
    assert tab.run(f"{TABLE}.tHead.rows[0].cells[4].getAttribute('aria-sort')") == "descending"


def test_a_picture_enlarges_and_escape_closes_it_and_gives_the_focus_back(tab: Tab) -> None:
    is_open = "document.querySelector('dialog').open"
    assert tab.run(is_open) is False
    tab.run("document.querySelectorAll('.enlarge')[1].focus()")
    tab.press("Enter")
    assert tab.run(is_open) is True
    source = "document.querySelector('dialog img').src"
    picture = "document.querySelectorAll('.enlarge img')[{}]"
    assert tab.run(source) == tab.run(picture.format(1) + ".src")
    box = tab.run(
        "[document.querySelector('dialog img').getBoundingClientRect()].map(box => [box.width, box.bottom])[0]"
    )
    assert box[0] > tab.run(picture.format(1) + ".getBoundingClientRect().width")
    assert box[1] <= 900
    tab.press("ArrowRight")
    assert tab.run("document.querySelector('dialog img').alt") == tab.run(picture.format(2) + ".alt")
    tab.press("Escape")
    assert tab.run(is_open) is False
    assert eventually(tab, "document.activeElement === document.querySelectorAll('.enlarge')[2]")
    assert tab.said == []


def test_without_its_script_nothing_sorts_or_enlarges_and_all_is_there_to_read(tab: Tab, results: Path) -> None:
    tab.open(edited(results, "<script>", "<script type='text/plain'>"))
    tab.run("document.querySelector('.enlarge').click()")
    assert tab.run("document.querySelector('dialog').open") is False
    assert tab.run(f"{TABLE}.querySelector('button')") is None
    assert tab.run("getComputedStyle(document.querySelector('.theme')).display") == "none"
    assert tab.run("document.querySelector('#summary').innerText.includes('median change')")


def test_dark_is_what_the_system_prefers_or_what_was_chosen_and_stays(tab: Tab, results: Path) -> None:
    light = tab.run(COLOUR)
    tab.prefer("dark")
    dark = tab.run(COLOUR)
    assert light != dark
    tab.run("document.querySelector('.theme').click()")
    assert tab.run(COLOUR) == light
    tab.open(results / "study.html")
    assert tab.run(COLOUR) == light
    tab.run("document.querySelector('.theme').click()")
    tab.prefer("light")
    assert tab.run(COLOUR) == dark
    assert "Light" in tab.run("document.querySelector('.theme').textContent")
    tab.run("localStorage.clear()")


def test_the_theme_changes_where_storage_is_refused(tab: Tab, results: Path) -> None:
    refuse = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } })"
    script = tab.call("Page.addScriptToEvaluateOnNewDocument", source=refuse)
    try:
        tab.open(results / "study.html")
        light = tab.run(COLOUR)
        tab.run("document.querySelector('.theme').click()")
        assert tab.run(COLOUR) != light
        assert tab.said == []
    finally:
        tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


@pytest.mark.parametrize("phone", [False, True])
def test_the_page_fits_a_phone_and_wide_tables_scroll_in_their_own_box(tab: Tab, results: Path, phone: bool) -> None:
    tab.size(390, 844, phone)
    tab.open(results / "study.html")
    tab.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    width = "Math.max(document.documentElement.scrollWidth, innerWidth)"
    assert tab.run(width) == 390
    assert tab.run(f"{TABLE}.scrollWidth > 390 && {TABLE}.parentElement.clientWidth < 390")
    tab.run("document.querySelector('#summary').insertAdjacentHTML('beforeend', '<div style=width:500px>x</div>')")
    assert tab.run(width) > 390


def test_on_paper_there_is_no_navigation_and_nothing_is_cut_off(tab: Tab) -> None:
    tab.prefer("dark")
    dark = tab.run(COLOUR)
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run("getComputedStyle(document.querySelector('.contents')).display") == "none"
    assert tab.run(f"getComputedStyle({TABLE}.parentElement).overflowX") == "visible"
    assert tab.run(COLOUR) == "rgb(255, 255, 255)" != dark
    tab.call("Emulation.setEmulatedMedia", media="")
