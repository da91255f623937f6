"""Django's settings, derived from the environment (`proxy_project/environment.py`). `TURNLOG` holds the rest."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from proxy_project.database import database_settings
from proxy_project.environment import load_environment
from proxy_project.logs import logging_settings
from proxy_project.production import check_production
from proxy_project.secrets_file import encryption_keys, secret_key
from proxy_project.sign_in import sign_in_settings

BASE_DIR = Path(__file__).resolve().parent.parent
TURNLOG = load_environment(os.environ)

SECRET_KEY = secret_key(TURNLOG)
ENCRYPTION_KEYS = encryption_keys(TURNLOG)
HISTORY_KEYS = TURNLOG.history_keys
check_production(TURNLOG)
DEBUG = False
ALLOWED_HOSTS = [*TURNLOG.allowed_hosts, TURNLOG.host, "127.0.0.1", "localhost", "[::1]"]

# What `manage.py runserver` runs on, and nothing else: it brings Twisted, 15 MB in every process.
DAPHNE = ["daphne"] if sys.argv[1:2] == ["runserver"] else []

INSTALLED_APPS = [
    *DAPHNE,
    "unfold",
    # Without its search for admin modules: proxy_project/urls.py has it done, in processes that are asked for pages.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    # It loads the library of requests, six megabytes, in every process.
    *(["allauth.socialaccount.providers.openid_connect"] if TURNLOG.oidc_url else []),
    "gateway",
    "dashboard",
    "proxy_project",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dashboard.compression.Compression",
    "dashboard.csp.content_security",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "dashboard.auditing.auditing",
    "dashboard.veiling.veiling",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "proxy_project.urls"
ASGI_APPLICATION = "proxy_project.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.accounts.context.single_sign_on",
            ]
        },
    }
]

DATABASES = {"default": database_settings(TURNLOG)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [TURNLOG.redis_url]}}
        if TURNLOG.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

# Shared counts: failed sign-ins, and what pages remember for a minute.
CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": TURNLOG.redis_url}
        if TURNLOG.redis_url
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

LOGGING_CONFIG = "proxy_project.logs.configure"
LOGGING = logging_settings(TURNLOG)

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = TURNLOG.data_dir / "static"

# How long the sign-in link of `manage.py run` may wait for its one use (`proxy_project/enter.py`).
PASSWORD_RESET_TIMEOUT = 24 * 3600
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/d/"
globals().update(sign_in_settings(TURNLOG))
SESSION_COOKIE_HTTPONLY = True
# A session ends half a day after the sign-in.
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = TURNLOG.max_request_bytes

# TLS ends before us, or here: pages ask for it and cookies travel by nothing else. Gateway paths pass no middleware, so
# they are never redirected. The header is believed only where a proxy is said to set it.
if TURNLOG.behind_tls:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if TURNLOG.behind_tls or TURNLOG.speaks_tls:
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
# To be on the browsers' preload list is the decision of whoever owns the domain, not of one host below it.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

# Dotted names are called by the admin's theme with the request.
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Turnlog",
    "SITE_HEADER": "Turnlog",
    "SITE_SYMBOL": "history",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "dashboard.navigation.favicon"}],
    "STYLES": ["dashboard.navigation.stylesheet"],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "dashboard.start_page.add_to_context",
    "SIDEBAR": {"navigation": "dashboard.navigation.sidebar"},
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .012 240)",
            "100": "oklch(94.5% .027 240)",
            "200": "oklch(89.5% .052 240)",
            "300": "oklch(82.5% .088 240)",
            "400": "oklch(74.5% .105 240)",
            "500": "oklch(64.5% .115 242)",
            "600": "oklch(48.5% .105 243)",
            "700": "oklch(42.5% .09 244)",
            "800": "oklch(37% .075 244)",
            "900": "oklch(32.5% .06 245)",
            "950": "oklch(24% .045 245)",
        },
    },
}
