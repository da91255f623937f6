"""Django's settings, derived from the environment (`proxy_project/environment.py`). `TURNLOG` holds the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from proxy_project.database import database_settings
from proxy_project.environment import load_environment
from proxy_project.secrets_file import encryption_keys, secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
TURNLOG = load_environment(os.environ)

SECRET_KEY = secret_key(TURNLOG)
ENCRYPTION_KEYS = encryption_keys(TURNLOG)
DEBUG = False
ALLOWED_HOSTS = [*TURNLOG.allowed_hosts, TURNLOG.host, "127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "gateway",
    "dashboard",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = TURNLOG.data_dir / "static"
STATICFILES_DIRS = [BASE_DIR / "dashboard" / "static"]

LOGIN_URL = "/admin/login/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = TURNLOG.max_request_bytes

UNFOLD: dict[str, Any] = {"SITE_TITLE": "Turnlog", "SITE_HEADER": "Turnlog"}
