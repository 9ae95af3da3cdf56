"""What users see after a sweep: `framesweep ui` in Chromium, controlled by Playwright."""

import importlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import pytest

pytestmark = pytest.mark.heavy

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
MILLISECONDS = 60_000
STUDY = "lr"


@dataclass(frozen=True)
class Site:
    """A running UI: the link that it printed, the runs that it must show, and their report."""

    url: str
    parent: mlflow.entities.Run
    children: list[mlflow.entities.Run]
    report: Path


def _skip_without(what: str) -> None:
    """Skip the test; fail in CI, where a browser must be installed."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")


@pytest.fixture(scope="module")
def requested():
    """Returns the list of all URLs that the browser requests."""
    return []


@pytest.fixture(scope="module")
def context(tmp_path_factory, requested):
    """Yields a browser with an empty profile."""
    if CHROMIUM is None:
        _skip_without("chromium")
    try:
        sync_api = importlib.import_module("playwright.sync_api")
    except ImportError:
        _skip_without("playwright")
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            args=FLAGS,
            viewport={"width": 1900, "height": 1000},
        )
        context.set_default_timeout(MILLISECONDS)
        context.on("request", lambda request: requested.append(urlsplit(request.url)))
        yield context
        context.close()


@pytest.fixture(scope="module")
def site(context, tmp_path_factory, make_shell):
    shell = make_shell(tmp_path_factory.mktemp("site"))
    shell.pictures = True
    search = ["sweep=bare", "optim.lr=tag(log, interval(1e-4,1e-2))"]
    sweeper = ["hydra.sweeper.n_trials=2", "hydra.sweeper.sampler.seed=1"]
    shell.train("-m", *shell.small, *search, *sweeper)
    shell.framesweep("report", STUDY)
    outputs = shell.folder / "outputs"
    client = mlflow.MlflowClient(f"sqlite:///{outputs}/mlflow.db")
    runs = client.search_runs(["1"], order_by=["attributes.start_time ASC"])
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = Path(sys.executable).with_name("framesweep")
    server = subprocess.Popen(
        [command, "ui", "--outputs", outputs, "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = server.stdout.readline().strip().removeprefix("MLflow UI: ")
        assert url == f"http://127.0.0.1:{port}/framesweep"
        yield Site(url, runs[0], runs[1:], shell.folder / "report.html")
    finally:
        server.send_signal(signal.SIGINT)
        try:
            assert server.wait(60) == 0
        finally:
            server.kill()
            server.stdout.close()


@pytest.fixture
def page(context, site):
    """Yields the page that the printed link opens, on which the sweep is expanded."""
    page = context.new_page()
    page.goto(site.url)
    page.get_by_role("link", name=site.parent.info.run_name, exact=True).wait_for()
    page.get_by_role("link", name=site.children[0].info.run_name).wait_for()
    yield page
    page.close()


def _open_image(page, folder: str, name: str) -> int:
    """Open an artifact of the run that is shown, and return the width of the loaded picture."""
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text(folder, exact=True).click()
    page.get_by_text(name, exact=True).click()
    image = page.get_by_role("img", name=f"{folder}/{name}")
    image.wait_for()
    page.wait_for_function("image => image.naturalWidth > 0", arg=image.element_handle())
    return image.evaluate("image => image.naturalWidth")


def test_the_link_opens_the_nested_training_runs_with_their_metrics(page, site):
    page.get_by_role("heading", name="Runs", exact=True).wait_for()
    assert site.parent.info.run_name == STUDY
    assert len(site.children) == 2
    assert page.get_by_text("shared view").count() == 0
    best = max(child.data.metrics["best/accuracy"] for child in site.children)
    row = page.locator(f'[row-id="{site.parent.info.run_id}"]')
    assert float(row.locator('[col-id="metrics.`best/accuracy`"]').inner_text()) == best
    assert row.locator('[col-id="params.`_swept/optim.lr`"]').inner_text() in {
        child.data.params["_swept/optim.lr"] for child in site.children
    }
    for child in site.children:
        page.get_by_role("link", name=child.info.run_name).wait_for()
        for metric in ("best/accuracy", "dev/accuracy"):
            page.get_by_role("columnheader", name=metric).first.wait_for()
            cell = page.locator(f'[row-id="{child.info.run_id}"] [col-id="metrics.`{metric}`"]')
            assert float(cell.inner_text()) == child.data.metrics[metric]


def test_two_runs_are_compared_with_a_chart_of_their_metric(page, site):
    for child in site.children:
        row = page.locator(f'[row-id="{child.info.run_id}"]')
        row.get_by_label("toggle row selection").check()
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="Comparing 2 Runs").wait_for()
    page.locator(".js-plotly-plot").get_by_text("best/accuracy").first.wait_for()
    for child in site.children:
        page.get_by_role("link", name=child.info.run_id).wait_for()
        page.get_by_role("cell", name=child.info.run_name).wait_for()
    page.get_by_role("link", name="dev/accuracy", exact=True).click()
    page.get_by_role("heading", name="dev/accuracy").first.wait_for()
    for child in site.children:
        page.get_by_text(f"{child.info.run_name} (dev/accuracy)").wait_for()
    lines = page.locator(".js-plotly-plot .scatterlayer path.js-line")
    lines.first.wait_for()
    shapes = {line.get_attribute("d") for line in lines.all()}
    assert len(shapes) == 2
    assert all(re.fullmatch(r"M[\d.,-]+L[\d.,-]+", shape) for shape in shapes)


def test_a_run_shows_its_confusion_matrix_and_the_sweep_its_plots(page, site):
    page.get_by_role("link", name=site.children[0].info.run_name).click()
    assert _open_image(page, "report", "confusion_matrix.png") > 300
    page.goto(site.url)
    page.get_by_role("link", name=site.parent.info.run_name, exact=True).click()
    assert _open_image(page, "plots", "history.png") > 300


def test_a_report_draws_its_figures_without_a_request_or_an_error(context, site):
    page = context.new_page()
    requests, errors = [], []
    page.on("request", lambda request: requests.append(request.url.partition(":")[0]))
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site.report.as_uri())
    page.get_by_role("heading", name=f"Study {STUDY}").wait_for()
    figures = page.locator(".figure")
    assert figures.count() >= 5
    for figure in figures.all():
        figure.locator("svg.main-svg").first.wait_for()
    # A figure that is wider than the page, as one plot per key is, is scrolled by itself.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("heading", name="Errors by phone").wait_for()
    assert errors == []
    assert set(requests) <= {"file", "data", "blob"}
    assert requests.count("file") == 1
    page.close()


def test_the_interactive_plots_of_a_sweep_are_drawn_in_the_ui(page, site):
    page.get_by_role("link", name=site.parent.info.run_name, exact=True).click()
    page.get_by_text("Train the best one again:").wait_for()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("plots", exact=True).click()
    page.get_by_text("plots.html", exact=True).click()
    plots = page.frame_locator("iframe")
    plots.locator(".figure svg.main-svg").first.wait_for()


def test_the_browser_contacts_no_other_machine(page, requested):
    assert {url.hostname for url in requested if url.scheme.startswith("http")} == {"127.0.0.1"}
