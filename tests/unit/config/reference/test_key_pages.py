"""The pages that document the config keys."""

from pathlib import Path

from framesweep.config.groups import option_groups
from framesweep.config.reference.key_docs import document_keys, find_keys
from framesweep.config.reference.key_pages import render_markdown, render_text

PAGE = Path(__file__).parents[4] / "docs" / "config.md"


def test_the_page_in_docs_is_up_to_date():
    stale = "docs/config.md is stale. Run: framesweep keys --markdown > docs/config.md"
    assert PAGE.read_text(encoding="utf-8") == render_markdown(), stale


def test_the_page_names_every_key_and_every_option():
    page = render_markdown()
    for doc in document_keys():
        assert f"| `{doc.key}` | {doc.type} |" in page
    for group, options in option_groups().items():
        for option in options:
            assert f"| `{group}={option}` | " in page


def test_every_row_of_a_table_has_as_many_cells_as_its_header():
    for block in render_markdown().split("\n\n"):
        rows = [row.replace("\\|", "") for row in block.splitlines() if row.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, block


def test_text_fits_a_terminal_and_says_which_options_have_a_key():
    text = render_text(document_keys())
    assert max(map(len, text.splitlines())) <= 80
    assert render_text(find_keys("model.stride")).startswith(
        "model.stride  (only model=tdnn)\n"
    )
    assert render_text(find_keys("data.context")).startswith("data.context\n")
