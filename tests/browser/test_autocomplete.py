"""Related rows of the admin's forms are typed for, found among many, and saved."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from gateway.models import ApiKey, ModelRoute, Provider, Team
from tests.browser.conftest import Windows
from tests.browser.test_limits_pages import keep_picture
from tests.browser.trouble import Trouble

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MANY = 1000


@pytest.fixture
def many(transactional_db: None) -> None:
    Team.objects.bulk_create(Team(name=f"team-{number}") for number in range(MANY))
    User.objects.bulk_create(User(username=f"person-{number}") for number in range(MANY))
    Provider.objects.bulk_create(
        Provider(name=f"engine-{number}", dialect="openai", address=f"http://127.0.0.1:{8000 + number}")
        for number in range(MANY)
    )


def choose(page: Page, field: Locator, text: str) -> None:
    """Open the field, type, and take what is found."""
    field.locator("+ .select2").click()
    page.locator(".select2-search__field").last.fill(text)
    found = page.locator(".select2-results__option", has_text=text)
    expect(found).to_have_count(1)
    found.click()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_key_gets_a_team_and_an_owner_of_a_thousand(
    open_page: Windows, trouble: Trouble, many: None, width: int, scheme: str
) -> None:
    page = open_page("/admin/gateway/apikey/add/", width=width, scheme=scheme)
    expect(page.locator("#id_team option")).to_have_count(1)
    page.locator("#id_name").fill("ci")
    choose(page, page.locator("#id_team"), "team-717")
    page.locator("#id_owner + .select2").click()
    page.locator(".select2-search__field").last.fill("person-99")
    expect(page.locator(".select2-results__option", has_text="person-999")).to_be_visible()
    keep_picture(page, f"autocomplete-{width}-{scheme}")
    page.locator(".select2-results__option", has_text="person-999").click()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).to_contain_text("shown this once")
    trouble.expect_none(page)
    open_page.stack.close()  # and with it the event loop, in which Django would not read
    key = ApiKey.objects.get()
    assert (key.team and key.team.name, key.owner and key.owner.username) == ("team-717", "person-999")


def test_a_route_gets_providers_of_a_thousand_in_a_line_that_was_added(
    open_page: Windows, trouble: Trouble, many: None
) -> None:
    page = open_page("/admin/gateway/modelroute/add/")
    page.locator("#id_match").fill("gpt-*")
    choose(page, page.locator("#id_provider"), "engine-404")
    page.locator("#targets-group .add-row a, #targets-group a.add-row").first.click()
    choose(page, page.locator("#id_targets-0-provider"), "engine-808")
    keep_picture(page, "autocomplete-targets")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).to_contain_text("was added successfully")
    trouble.expect_none(page)
    open_page.stack.close()
    route = ModelRoute.objects.get()
    assert (route.provider.name, [target.provider.name for target in route.targets.all()]) == (
        "engine-404", ["engine-808"],
    )  # fmt: skip
