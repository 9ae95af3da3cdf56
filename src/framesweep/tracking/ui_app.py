"""MLflow's server with one more page, which opens an experiment with columns that suit it.

The UI keeps the columns of its table of runs in the browser. A link can show others only as
a view that somebody shares, with a banner above the table. This page comes from the same origin
as the UI: it stores the columns as the browser's own and then opens the table.
"""

import json
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

VIEW_PATH, VIEW_VARIABLE = "/framesweep", "FRAMESWEEP_UI_VIEW"
"""Path of the page, and the variable with its experiment and columns as JSON."""

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>framesweep</title>
<script>
const view = VIEW;
const key = `MLflowLocalStorage-1.1-ExperimentPage-["${view.experiment}"]-ReactComponentState`;
const ours = `framesweep-columns-${view.experiment}`;
try {
  const state = JSON.parse(localStorage.getItem(key)) || {};
  const columns = JSON.stringify(state.selectedColumns || null);
  // Columns that the reader has chosen stay; those that this page chose earlier are replaced.
  if (columns === "null" || columns === localStorage.getItem(ours)) {
    state.selectedColumns = view.columns;
    localStorage.setItem(ours, JSON.stringify(view.columns));
  }
  if (!(state.columnOrder || []).length) {
    const name = "attributes.`Run Name`";  // which MLflow makes too narrow to be read
    state.columnOrder = ["0", name];
    state.columnWidths = {[name]: 330};
  }
  state.runsExpanded = {...state.runsExpanded, ...view.expanded};
  localStorage.setItem(key, JSON.stringify(state));
  // MLflow's assistant, which takes a quarter of the window, waits until it is asked for.
  const assistant = "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1";
  if (localStorage.getItem(assistant) === null) localStorage.setItem(assistant, "true");
} catch (error) {}  // a browser without storage shows MLflow's own columns
location.replace(view.link);
</script></head><body><a href="/">MLflow</a></body></html>
"""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def build_page(view: Mapping[str, Any]) -> bytes:
    """Return the page that stores a view's columns and opens its link."""
    text = json.dumps(view).replace("<", "\\u003c")  # a name must not end the script
    return PAGE.replace("VIEW", text, 1).encode()


class ViewApp:
    """An ASGI application that answers VIEW_PATH, and passes everything else on."""

    def __init__(self, app: AsgiApp, view: Mapping[str, Any]) -> None:
        self._app = app
        self._body = build_page(view)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != VIEW_PATH:
            await self._app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(self._body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


def __getattr__(name: str) -> ViewApp:
    """Return `app`, which MLflow's server asks for; importing its own takes seconds."""
    if name != "app":
        raise AttributeError(name)
    from mlflow.server.fastapi_app import app

    return ViewApp(app, json.loads(os.environ[VIEW_VARIABLE]))
