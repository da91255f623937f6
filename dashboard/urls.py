from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from dashboard.views.landing import landing


class Favicon(RedirectView):
    """Browsers ask for this path on their own, on pages without a link to an icon."""

    def get_redirect_url(self, *args: object, **kwargs: object) -> str:
        return static("turnlog/favicon.svg")


urlpatterns = [
    path("", landing, name="landing"),
    path("favicon.ico", Favicon.as_view()),
    path("d/", include("dashboard.page_urls")),
]
