"""Addresses of the pages under /d/. Each of `dashboard/pages.py` is named as it is there."""

from django.urls import path

from dashboard.views import conversations, figures, history, request, turnlog
from dashboard.views.alerts import acknowledge_alert, alerts, mute_rule
from dashboard.views.grades import correct_grade, grades, request_grade, request_grade_page
from dashboard.views.live import agents, agents_now, live, live_since
from dashboard.views.overview import overview, overview_line
from dashboard.views.pins import pin_request, pins, remove_pin
from dashboard.views.replay import request_replay
from dashboard.views.saved import remove_view, save_view

app_name = "d"
urlpatterns = [
    path("", overview, name="overview"),
    path("line/", overview_line, name="overview_line"),
    path("live/", live, name="live"),
    path("live/since/", live_since, name="live_since"),
    path("agents/", agents, name="agents"),
    path("agents/now/", agents_now, name="agents_now"),
    path("requests/", history.requests, name="requests"),
    path("requests/file/", history.requests_file, name="requests_file"),
    path("views/", save_view, name="save_view"),
    path("views/<int:view_id>/remove/", remove_view, name="remove_view"),
    path("pinned/", pins, name="pinned"),
    path("pinned/<int:pin_id>/remove/", remove_pin, name="remove_pin"),
    path("errors/", history.errors, name="errors"),
    path("errors/mute/", history.mute_error, name="mute_error"),
    path("alerts/", alerts, name="alerts"),
    path("alerts/<int:alert_id>/acknowledge/", acknowledge_alert, name="acknowledge_alert"),
    path("alerts/rules/<int:rule_id>/mute/", mute_rule, name="mute_rule"),
    path("health/", turnlog.health, name="health"),
    path("notices/", turnlog.notices, name="notices"),
    path("me/", turnlog.me, name="me"),
    path("me/first/", turnlog.first_request, name="first_request"),
    path("c/", conversations.conversations, name="conversations"),
    path("newer/<uuid:last>/<path:session_id>", conversations.conversation_newer, name="conversation_newer"),
    path("c/<path:session_id>", conversations.conversation, name="conversation"),
    path("usage/", figures.usage, name="usage"),
    path("quota/", figures.quota, name="quota"),
    path("models/", figures.models, name="models"),
    path("r/<uuid:request_id>/", request.request_detail, name="request"),
    path("r/<uuid:request_id>/there/", request.request_there, name="request_there"),
    path("r/<uuid:request_id>/peek/", request.request_peek, name="request_peek"),
    path("r/<uuid:request_id>/raw/<str:part>/", request.request_raw, name="request_raw"),
    path("r/<uuid:request_id>/media/<str:digest>/", request.request_media, name="request_media"),
    path("r/<uuid:request_id>/copy/<str:form>/", request.request_copy, name="request_copy"),
    path("r/<uuid:request_id>/replay/", request_replay, name="request_replay"),
    path("r/<uuid:request_id>/pin/", pin_request, name="pin_request"),
    path("grades/", grades, name="grades"),
    path("grades/of/<uuid:request_id>/", request_grade_page, name="request_grade_page"),
    path("grades/of/<uuid:request_id>/part/", request_grade, name="request_grade"),
    path("grades/of/<uuid:request_id>/correct/", correct_grade, name="correct_grade"),
]
