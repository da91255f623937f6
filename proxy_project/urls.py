"""Pages. Gateway paths have a URLconf of their own (`gateway/api/urls.py`), reached through the lean handler."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from gateway.read_api.routes import api as read_api
from proxy_project.enter import enter

# Only a process that serves a page needs what the pages are made of.
admin.autodiscover()
# One sign-in for all pages, with its second factor and its limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("dashboard.accounts.urls")),
    path("enter/<str:uid>/<str:token>/", enter, name="enter"),
    path("api/v1/", read_api.urls),
    path("", include("dashboard.urls")),
]
