from django.urls import path

from dashboard.views import landing

urlpatterns = [path("", landing, name="landing")]
