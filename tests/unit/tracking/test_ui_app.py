"""The page that opens an experiment, in front of MLflow's own server."""

import asyncio
import json

from framesweep.tracking.ui_app import VIEW_PATH, ViewApp, build_page

VIEW = {"experiment": "1", "link": "/#/x", "columns": ["a"], "expanded": {}}


def answer(path: str, kind: str = "http") -> list:
    """Return what the application sends for a request."""
    sent: list = []

    async def inner(scope, receive, send):
        await send("from MLflow")

    async def send(message):
        sent.append(message)

    asyncio.run(ViewApp(inner, VIEW)({"type": kind, "path": path}, None, send))
    return sent


def test_the_page_is_answered_and_everything_else_is_passed_on():
    start, body = answer(VIEW_PATH)
    assert start["status"] == 200
    assert (b"content-length", str(len(body["body"])).encode()) in start["headers"]
    assert b"location.replace(view.link)" in body["body"]
    assert answer("/") == answer(VIEW_PATH + "/x") == ["from MLflow"]
    assert answer(VIEW_PATH, "websocket") == ["from MLflow"]


def test_the_view_is_part_of_the_page_and_cannot_end_its_script():
    view = {**VIEW, "columns": ["</script><script>alert(1)</script>"]}
    page = build_page(view).decode()
    assert page.count("</script") == 1
    line = next(line for line in page.splitlines() if line.startswith("const view = "))
    assert json.loads(line.removeprefix("const view = ").rstrip(";")) == view
