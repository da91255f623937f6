"""The gateway's URLconf, reached through the lean handler only (`gateway/api/handler.py`)."""

from __future__ import annotations

from django.urls import path

from gateway.api.application import build_api

urlpatterns = [path("", build_api().urls)]
