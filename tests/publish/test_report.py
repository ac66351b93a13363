"""The report: what it collects, its tables for papers, and the page in a real browser."""

import csv
import itertools
import json
import re
import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.fixtures.in_process import run
from tests.fixtures.small_grid import ESD_SETTINGS, write_protocol
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.report.columns import columns_of
from unlearncanvas.results.export import markdown_text
from unlearncanvas.results.reading import read_results

pytestmark = pytest.mark.slow
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
HOSTILE = "<img src=x onerror=document.title='broken'>"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two erasers, one of them with two settings; and a row whose name is an attack."""
    folder = tmp_path_factory.mktemp("report")
    protocol, out = write_protocol(folder), folder / "runs"
    for settings in ([], ["--set", "lr=1e-3"]):
        done = run(
            "unlearncanvas.bench", "--eraser", "esd", "--protocol", str(protocol), "--out",
            str(out), "--device", "cpu", *ESD_SETTINGS, *settings,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    path = next(iter(out.glob("small/esd-*/quick/results.json")))
    hostile = json.loads(path.read_text())
    hostile["means"] = [row for row in hostile["means"] if row["label"] == "esd"]
    for row in hostile["means"]:
        row["label"] = HOSTILE
        row["scores"]["in_domain_retain_accuracy"]["value"] = 3.0
    hostile |= {"rows": [], "pictures": [], "comparisons": []}
    place = out / "small" / "hostile" / "quick"
    place.mkdir(parents=True)
    (place / "results.json").write_text(json.dumps(hostile))
    return out


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "report"
    done = run("unlearncanvas.cli.main", "report", str(runs), "--out", str(folder))
    assert done.returncode == 0, done.stderr
    assert "1 leaderboards, 5 rows" in " ".join(done.stdout.split())
    return folder


def test_one_leaderboard_holds_all_runs_of_the_same_protocol(runs):
    (leaderboard,) = collect([runs]).leaderboards
    assert set(leaderboard.rows) == {"none", "noise", "esd, lr=0.0004", "esd, lr=0.001", HOSTILE}
    status = {label: row.status for label, row in leaderboard.rows.items()}
    assert status["none"] == status["noise"] == "reference"
    assert status[HOSTILE] == "degenerate"
    row = leaderboard.rows["esd, lr=0.001"]
    assert set(row.rows) == {"style:Mosaic", "style:Neon Lines", "object:Cat"}
    assert "--set lr=0.001" in row.command
    assert "--eraser esd" in row.command


def test_the_command_is_the_one_that_was_typed():
    (leaderboard,) = collect([_docs("mini-quick-eleven")]).leaderboards
    assert leaderboard.rows["uce"].command == "python -m unlearncanvas.bench --eraser uce"
    (leaderboard,) = collect([_docs("mini-full-salun")]).leaderboards
    assert leaderboard.rows["salun"].command.endswith("--eraser salun --tier full")
    (leaderboard,) = collect([_docs("mini-quick-five-seeds")]).leaderboards
    assert leaderboard.rows["ca"].command == (
        "python -m unlearncanvas.bench --eraser ca --targets 'Watercolor,Neon Lines,Mosaic,Cat,"
        "House,Sail Boat' --seeds 188,288,588,688,888"
    )


def _docs(name):
    return Path(__file__).parents[2] / "docs" / "results" / f"{name}.json"


def test_tables_for_papers_hold_the_numbers_of_the_results(page, runs):
    (leaderboard,) = collect([runs]).leaderboards
    table = (page / "data" / "table.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    scores = {
        (label, kind, name): score.value
        for label, row in leaderboard.rows.items()
        for kind, mean in row.means.items()
        for name, score in mean.scores.items()
    }
    found = {
        (row["eraser"], row["targets"].split()[1], row["metric"]): float(row["value"])
        for row in rows
    }
    assert found == scores
    tex = (page / "data" / "table.tex").read_text()
    columns = [column for column in columns_of(leaderboard) if column.kind or "↓" in column.heading]
    assert all(line.count("&") == len(columns) for line in tex.splitlines() if "&" in line)
    assert r"esd, lr=0.001 &" in tex
    markdown = (page / "report.md").read_text()
    assert all(f"\n| {markdown_text(label)} | " in markdown for label in leaderboard.rows)
    assert "esd, lr=0.001: `python -m unlearncanvas.bench --eraser esd" in markdown
    assert "## small · 3 targets · 2 seeds" in markdown


def test_the_page_is_small_and_needs_no_network(page):
    html = (page / "index.html").read_text()
    assert len(html.encode()) < 6e6
    assert "onerror=document.title" in html
    assert "<img src=x" not in html
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert "http" not in markup
    pictures = [path.name for path in (page / "pictures").glob("*.webp")]
    assert sum(name.startswith("row-") for name in pictures) == 6
    assert sum("heatmap" in name for name in pictures) == 2
    for copy in (page / "data").glob("row-*.json"):
        read_results(copy)


def test_bad_input(tmp_path, runs):
    done = run("unlearncanvas.cli.main", "report", str(tmp_path / "nothing"))
    assert (done.returncode, "does not exist" in done.stderr) == (2, True)
    done = run("unlearncanvas.cli.main", "report", str(tmp_path), "--out", str(tmp_path / "out"))
    assert (done.returncode, "run the benchmark first" in done.stderr) == (2, True)
    (tmp_path / "thesis.tex").touch()
    done = run("unlearncanvas.cli.main", "report", str(runs), "--out", str(tmp_path))
    assert (done.returncode, "holds other things (thesis.tex)" in done.stderr) == (2, True)
    assert (tmp_path / "thesis.tex").exists()


def test_a_page_removes_what_a_page_wrote_and_nothing_else(tmp_path):
    """Into folders named data and pictures, beside a page and before there was one."""
    docs, out = str(_docs("mini-quick-eleven")), tmp_path / "out"
    mine = [out / "data" / "mine.csv", out / "pictures" / "mine.png", out / "thesis.tex"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
    mine[0].write_text("years of work")
    done = run("unlearncanvas.cli.main", "report", docs, "--out", str(out))
    assert (done.returncode, "holds other things (data)" in done.stderr) == (2, True)
    assert mine[0].read_text() == "years of work"
    shutil.rmtree(out)
    assert run("unlearncanvas.cli.main", "report", docs, "--out", str(out)).returncode == 0
    first = {path for path in out.rglob("*") if path.is_file()}
    for path in mine:
        path.write_text("years of work")
    docs = str(_docs("mini-full-salun"))
    assert run("unlearncanvas.cli.main", "report", docs, "--out", str(out)).returncode == 0
    assert [path.read_text() for path in mine] == ["years of work"] * 3
    gone = {path.name for path in first if not path.exists()}
    assert len(gone) > 5
    assert all(name.startswith("row-0-") for name in gone)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium and chromedriver here; `make browser` installs them")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,900"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page):
    browser.get((page / "index.html").as_uri())
    yield browser
    severe = [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert severe == []


def names(browser):
    rows = browser.find_elements(By.CSS_SELECTOR, "tr.row")
    return [
        row.find_element(By.TAG_NAME, "th").text.split("\n")[0]
        for row in rows
        if row.is_displayed()
    ]


def until(browser, holds):
    return WebDriverWait(browser, 20, ignored_exceptions=[NoSuchElementException]).until(holds)


def test_sorting_keeps_references_first_and_degenerate_rows_last(opened):
    header = opened.find_elements(By.CSS_SELECTOR, "table.leaderboard thead th")[1]
    assert header.text.startswith("style UA")
    column = "return [...document.querySelectorAll('tr.row')].map(r => r.cells[1].dataset.value)"
    for expected in ("descending", "ascending"):
        header.find_element(By.TAG_NAME, "button").click()
        assert header.get_attribute("aria-sort") == expected
        values = [float(value) for value in opened.execute_script(column)]
        order = sorted(values[2:4], reverse=expected == "descending")
        assert values[2:4] == order
        shown = names(opened)
        assert set(shown[:2]) == {"none", "noise"}
        assert "degenerate" in shown[-1]


def test_filtering(opened):
    assert len(names(opened)) == 5
    field = opened.find_element(By.NAME, "text")
    field.send_keys("lr=0.001")
    assert names(opened) == ["none", "noise", "esd, lr=0.001"]
    assert opened.find_element(By.ID, "count").text == "3 of 5 rows shown"
    field.clear()
    field.send_keys("x", "\b")
    assert len(names(opened)) == 5


def test_opening_a_row_shows_its_command_plot_and_pictures(opened):
    button = opened.find_elements(By.CSS_SELECTOR, "tr.ranked button")[0]
    details = opened.find_element(By.ID, button.get_attribute("aria-controls"))
    assert not details.is_displayed()
    button.send_keys("\n")  # by the keyboard
    assert details.is_displayed()
    assert button.get_attribute("aria-expanded") == "true"
    assert "python -m unlearncanvas.bench --eraser esd" in details.text
    plot = details.find_element(By.CSS_SELECTOR, "[data-figure]")
    opened.execute_script("arguments[0].scrollIntoView()", plot)
    until(opened, lambda _: plot.find_element(By.CSS_SELECTOR, ".hm, .heatmaplayer"))
    image = details.find_element(By.TAG_NAME, "img")
    height = image.size["height"]
    assert height > 50
    opened.execute_script("arguments[0].scrollIntoView()", image)
    until(opened, lambda _: image.get_property("complete") and image.get_property("naturalWidth"))
    assert abs(image.size["height"] - height) <= 1  # nothing jumps when it is there
    button.click()
    assert not details.is_displayed()


def test_plots_take_the_colours_of_the_page(opened):
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    plot = opened.find_element(By.CSS_SELECTOR, ".plots [data-figure]")
    opened.execute_script("arguments[0].scrollIntoView()", plot)
    until(opened, lambda _: plot.find_element(By.CSS_SELECTOR, ".scatterlayer"))
    ink = opened.execute_script("return getComputedStyle(document.body).color")
    assert ink != "rgb(28, 32, 36)"
    drawn = "return arguments[0].layout.font.color"
    until(opened, lambda _: opened.execute_script(drawn, plot) == ink)
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_nothing_sticks_out_on_a_phone(opened):
    size = opened.get_window_size()
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    width = "return document.documentElement.scrollWidth"
    until(opened, lambda _: opened.execute_script(width) <= 390)
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    opened.set_window_size(size["width"], size["height"])


def test_names_are_text(opened):
    assert opened.title.startswith("UnlearnCanvas")
    assert any(HOSTILE in name for name in names(opened))


def test_two_runs_are_compared_image_by_image(runs):
    def compare(*erasers):
        options = [part for name in erasers for part in ("--eraser", name)]
        done = run("unlearncanvas.cli.main", "compare", str(runs), str(runs), *options)
        assert done.returncode == 0, done.stderr
        lines = [line.split("│") for line in done.stdout.splitlines()]
        rows = {}
        for cells, below in itertools.pairwise(lines):
            if cells[1:2] == [" style:Neon Lines "]:
                interval = below[5].strip() if below[2:3] and not below[2].strip() else ""
                rows[cells[2].strip()] = [*(cell.strip() for cell in cells[3:8]), interval]
        return rows, done.stdout

    (leaderboard,) = collect([runs]).leaderboards
    scores = {
        label: leaderboard.rows[label].rows["style:Neon Lines"].scores
        for label in ("none", "esd, lr=0.001")
    }
    found, printed = compare("esd, lr=0.001", "none")
    for name, metric in (
        ("UA", "unlearning_accuracy"),
        ("IRA", "in_domain_retain_accuracy"),
        ("CRA", "cross_domain_retain_accuracy"),
    ):
        values = [scores[label][metric].value for label in ("esd, lr=0.001", "none")]
        assert found[name][:2] == [f"{value:.1f}" for value in values]
        assert found[name][2] == f"{values[0] - values[1]:+.1f}"
        assert found[name][5].startswith("[")
    assert found["UA"][4] == "4"
    assert "style:Neon Lines: " in printed
    assert "object:Cat: " in printed
    same, _ = compare("esd, lr=0.001")
    for name in ("UA", "IRA", "CRA", "CRA on target"):
        assert same[name][2] == "+0.0"
        assert same[name][5].startswith("[")
        assert same[name][3] == "1"
    assert same["FID"][2:4] == ["0.00", ""]


def test_without_a_name_all_tested_erasers_are_compared(runs):
    done = run("unlearncanvas.cli.main", "compare", str(runs), str(runs))
    assert done.returncode == 0, done.stderr
    assert all(f" esd, lr={rate} " in done.stdout for rate in ("0.0004", "0.001"))
    assert "difference" in done.stdout


def test_what_cannot_be_compared(runs, tmp_path):
    refused = run("unlearncanvas.cli.main", "compare", str(runs), "--eraser", "sed")
    assert (refused.returncode, "name one of: none" in refused.stderr) == (2, True)
    refused = run(
        "unlearncanvas.cli.main",
        "compare",
        str(runs),
        str(_docs("mini-full-salun")),
        "--eraser",
        "none",
    )
    assert refused.returncode == 2
    assert "0 erasers that fit" in refused.stderr  # means only: nothing to pair
