"""Pages. Gateway paths have a URLconf of their own (`gateway/api/urls.py`), reached through the lean handler."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from proxy_project.enter import enter

# Only a process that serves a page needs what the pages are made of.
admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    path("enter/<str:uid>/<str:token>/", enter, name="enter"),
    path("", include("dashboard.urls")),
]
