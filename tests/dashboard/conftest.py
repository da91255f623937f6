from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.fixture
def admin(db: None) -> Client:
    """A browser signed in as the administrator."""
    client = Client()
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", "secret"))
    return client
