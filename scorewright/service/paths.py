"""Which methods the routes of an application take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

if TYPE_CHECKING:
    from fastapi import FastAPI

_ORDER = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")


class Paths:
    """The application's routes by their paths. HEAD goes with GET, and OPTIONS with everything."""

    def __init__(self, app: FastAPI) -> None:
        self._routes = [route for route in app.routes if isinstance(route, Route)]

    def methods(self, path: str) -> list[str]:
        """What a path takes; nothing if there is no such path."""
        found = {method for route in self._routes if route.path_regex.match(path) for method in route.methods or ()}
        if not found:
            return []
        return [method for method in _ORDER if method in found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())]

    def takes_head(self, path: str) -> bool:
        """Whether a route looks at HEAD itself, to save the work of an answer's body."""
        return any("HEAD" in (route.methods or ()) for route in self._routes if route.path_regex.match(path))
