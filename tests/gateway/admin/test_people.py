"""Users in the admin."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import Client


def test_a_person_is_added_and_may_sign_in(admin: Client) -> None:
    assert admin.get("/admin/auth/user/").status_code == 200
    phrase = "a long enough phrase"
    data = {"username": "lead", "password1": phrase, "password2": phrase, "usable_password": "true"}
    response = admin.post("/admin/auth/user/add/", data)
    assert response.status_code == 302
    lead = User.objects.get(username="lead")
    assert lead.check_password(phrase)
    assert admin.get(f"/admin/auth/user/{lead.pk}/change/").status_code == 200
