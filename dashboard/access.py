"""Who may open a page of the dashboard, and what they see on it.

A view is given the `Viewer`. It reads lists and sums through `viewer.figures`, what was said through `viewer.rows`, and
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.pages import BY_NAME, Need
from gateway.history.visibility import Sight, visible_to

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Viewer:
    """`rows`: whose requests may be read; `figures`: whose may be listed, with their figures, and summed up."""

    user: Any
    rows: Sight
    figures: Sight

    @classmethod
    def of(cls, user: Any) -> Viewer:
        rows = visible_to(user)
        return cls(user, rows, rows.of_figures())

    @property
    def may_read(self) -> bool:
        """Whether anything that was said may be read."""
        return self.may(Need.ROWS)

    def may(self, need: Need) -> bool:
        if need is Need.NOTHING:
            return True
        sight = self.rows if need is Need.ROWS else self.figures
        return sight.teams is None or bool(sight.teams)


View = Callable[Concatenate[HttpRequest, Viewer, P], HttpResponseBase]
Wrapped = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def guarded(need: Need) -> Callable[[View[P]], Wrapped[P]]:
    """The view is called as `view(request, viewer, ...)`, for those who are signed in and may see what it needs."""

    def decorate(view: View[P]) -> Wrapped[P]:
        @wraps(view)
        def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            viewer = Viewer.of(request.user)
            if not viewer.may(need):
                return refuse(request)
            return view(request, viewer, *args, **kwargs)

        return answer  # type: ignore[return-value]

    return decorate


def page(name: str) -> Callable[[View[P]], Wrapped[P]]:
    """`guarded`, for a page of `dashboard/pages.py`; read only."""

    def decorate(view: View[P]) -> Wrapped[P]:
        return require_safe(guarded(BY_NAME[name].need)(view))

    return decorate


def refuse(request: HttpRequest) -> HttpResponse:
    """Says what to do next: ask to be made a member."""
    return render(request, "dashboard/refused.html", status=403)
