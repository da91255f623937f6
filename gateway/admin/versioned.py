"""The base of the admin of everything ops configure: each change becomes a version with its author."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, HttpResponse

from gateway.admin.json_fields import written_field
from gateway.admin.site import ModelAdmin
from gateway.configuration.revisions import revision


class VersionedAdmin(ModelAdmin[Any]):
    """Lists and tables are written as lines; whatever a page changes is one version."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        return written_field(db_field) or super().formfield_for_dbfield(db_field, request, **options)

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._versioned(request, super().changeform_view, *args, **options)

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._versioned(request, super().delete_view, *args, **options)

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._versioned(request, super().changelist_view, *args, **options)

    def _versioned(self, request: HttpRequest, view: Callable[..., Any], *args: Any, **options: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **options)  # type: ignore[no-any-return]
        with revision(request.user, note=f"admin: {self.opts.verbose_name}"):
            answer: Any = view(request, *args, **options)
            # A page that waits to be rendered would read the database outside.
            return cast("HttpResponse", answer.render() if getattr(answer, "is_rendered", True) is False else answer)
