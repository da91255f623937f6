"""Pages. Gateway paths have a URLconf of their own (`gateway/api/urls.py`), reached through the lean handler."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
