"""Addresses of the pages under /d/. Each of `dashboard/pages.py` is named as it is there."""

from django.urls import path

from dashboard.views import conversations, figures, request
from dashboard.views.overview import overview

app_name = "d"
urlpatterns = [
    path("", overview, name="overview"),
    path("c/", conversations.conversations, name="conversations"),
    path("c/<path:session_id>", conversations.conversation, name="conversation"),
    path("usage/", figures.usage, name="usage"),
    path("quota/", figures.quota, name="quota"),
    path("models/", figures.models, name="models"),
    path("r/<uuid:request_id>/", request.request_detail, name="request"),
    path("r/<uuid:request_id>/raw/<str:part>/", request.request_raw, name="request_raw"),
    path("r/<uuid:request_id>/media/<str:digest>/", request.request_media, name="request_media"),
    path("r/<uuid:request_id>/copy/<str:form>/", request.request_copy, name="request_copy"),
]
