from django.apps import AppConfig
from django.db.models.signals import post_delete, post_migrate, post_save


class GatewayConfig(AppConfig):
    name = "gateway"
    verbose_name = "Gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from gateway.configuration.defaults import make_default_providers
        from gateway.configuration.roles import keep_role_groups, place_in_groups
        from gateway.history.prices import install_list_prices
        from gateway.history.projections import PROJECTIONS
        from gateway.history.rollups import make_default_zone
        from gateway.history.search.index import SearchIndex

        PROJECTIONS.append(SearchIndex())
        post_migrate.connect(make_default_providers, sender=self)
        post_migrate.connect(install_list_prices, sender=self)
        post_migrate.connect(make_default_zone, sender=self)
        post_migrate.connect(keep_role_groups)
        for changed in (post_save, post_delete):
            changed.connect(place_in_groups, sender="gateway.Member")
