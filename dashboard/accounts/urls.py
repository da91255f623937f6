"""Addresses of signing in and out, of one's password and second factor, and of the identity provider. What the library
offers beyond that (signing up, mail) is not served: accounts are made by administrators."""

from allauth.account import views as account
from django.conf import settings
from django.urls import include, path

from dashboard.accounts.views import sign_in

urlpatterns = [
    path("login/", sign_in, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("signup/", account.signup, name="account_signup"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    # Whoever came in by a link or an identity provider has none yet.
    path("password/set/", account.password_set, name="account_set_password"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
    path("3rdparty/", include("allauth.socialaccount.urls")),
]

if settings.TURNLOG.oidc_url:
    urlpatterns.append(path("", include("allauth.socialaccount.providers.openid_connect.urls")))
