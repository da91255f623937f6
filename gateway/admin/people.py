"""Those who may sign in: Django's own users, with the theme's forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from gateway.admin.site import ModelAdmin

if TYPE_CHECKING:
    ThemedUserAdmin = PlainUserAdmin[User]
else:

    class ThemedUserAdmin(PlainUserAdmin, ModelAdmin):
        """Django's, in the theme."""


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(ThemedUserAdmin):
    """Permissions are given to a person; groups come with teams."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
