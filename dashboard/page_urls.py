"""Addresses of the pages under /d/. Each of `dashboard/pages.py` is named as it is there."""

from django.urls import path

from dashboard.views.overview import overview

app_name = "d"
urlpatterns = [
    path("", overview, name="overview"),
]
