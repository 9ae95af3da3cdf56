"""Pages show any text as text, and need nothing but themselves."""

import json
import re
from html.parser import HTMLParser

import pytest

from framesweep.system.drawing import html_page
from framesweep.system.drawing.html_page import Page, read_plotly

EVIL = "</script><img src=x onerror=alert(1)>\"'&`"


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(autouse=True)
def short_plotly(monkeypatch):
    monkeypatch.setattr(html_page, "read_plotly", lambda: "var Plotly = {};")


def build_page(text: str) -> Page:
    page = Page(text)
    page.add_heading(text)
    page.add_paragraph(text)
    page.add_command(text)
    page.add_details(text, text)
    page.add_facts({text: text})
    page.add_table([text, "n"], [[text, 0.123456789], [text, 2]])
    trace = {"type": "scatter", "name": text, "x": [text, float("nan")], text: 1}
    page.add_figure({"data": [trace], "layout": {"title": {"text": text}}})
    return page


def test_texts_of_others_become_neither_tags_nor_scripts():
    harmless = Tags(build_page("harmless").render()).tags
    evil = Tags(build_page(EVIL).render()).tags
    assert [tag for tag, _ in evil] == [tag for tag, _ in harmless]
    assert "img" not in {tag for tag, _ in evil}
    assert not [name for _, attributes in evil for name in attributes if name.startswith("on")]


def test_texts_in_figures_stay_texts_and_keep_the_line_breaks_of_plotly():
    script = build_page(EVIL + "<br>x").render().partition("Plotly.newPlot(")[2]
    texts = json.loads("[" + script.partition(", {responsive")[0] + "]")
    assert texts[1][0]["name"] == "&lt;/script>&lt;img src=x onerror=alert(1)>\"'&`<br>x"
    assert texts[1][0]["x"][1] is None


def test_a_page_loads_nothing_and_runs_only_its_own_scripts():
    page = build_page("page").render()
    tags = Tags(page).tags
    assert not [a for _, a in tags if a.get("src") or a.get("href")]
    (policy,) = [a["content"] for _, a in tags if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    nonce = re.search(r"nonce-(\w+)", policy)[1]
    assert {a["nonce"] for tag, a in tags if tag == "script"} == {nonce}


def test_credentials_and_control_characters_are_removed():
    page = build_page("http://user:secret@host \x1b[31m").render()
    assert "secret" not in page
    assert "\x1b" not in page


def test_a_page_without_figures_is_small_and_is_written_whole(tmp_path):
    page = Page("small")
    page.add_table(["a", "b"], [["x", 1], ["y", 0.5]])
    page.write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "Plotly" not in text
    assert '<td class="number">0.5</td>' in text
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_picture_becomes_part_of_the_page(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    page = Page("picture")
    page.add_png(tmp_path / "a.png", "<matrix>")
    assert '<img alt="&lt;matrix&gt;" src="data:image/png;base64,cG5n">' in page.render()


def test_the_code_of_plotly_is_that_of_the_package_and_ends_no_script():
    code = read_plotly()
    assert "newPlot" in code
    assert "</script" not in code
