"""Staff see the rules in words, propose an edit as lines, see what it changes, and two of them put it into force."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from custody import rulebook
from custody.models import PolicyEdit
from custody.services import policies
from tests.factors import log_in_staff

pytestmark = pytest.mark.django_db
LIST = reverse("admin:custody_policyedit_changelist")
ADD = reverse("admin:custody_policyedit_add")


@pytest.fixture
def staff(settings):
    settings.AXES_ENABLED = False

    def make(name, *, may=("policyedit", "policyapproval", "policycancellation")):
        user = get_user_model().objects.create(email=f"{name}@example.com", is_staff=True, is_active=True)
        rights = Permission.objects.filter(content_type__app_label="custody")
        wanted = {"view_policyedit", "view_policydecision", *(f"add_{noun}" for noun in may)}
        user.user_permissions.set(rights.filter(codename__in=wanted))
        browser = Client()
        log_in_staff(browser, user)
        browser.user = user
        return browser

    return make


def lines():
    known = policies.known()
    return [rulebook.sentence(rule, known=known) for rule in policies.current(now=timezone.now()).rules]


def propose(browser, rules, note="Because"):
    return browser.post(ADD, {"rules_text": "\n".join(rules), "why": note})


def page_of(edit_id):
    return reverse("admin:custody_policyedit_change", args=[edit_id])


def decide(browser, edit_id, verb, **more):
    return browser.post(
        reverse("admin:custody_policyedit_decide", args=[edit_id]), {"verb": verb, **more}, follow=True
    ).content.decode()


def test_the_rules_in_force_are_read_in_words_and_an_asset_without_rule_is_named(staff, owner_connection):
    anna = staff("anna")
    page = anna.get(LIST).content.decode()
    assert "BTC, large: BTC, above 0.25 BTC → 1 approval" in page
    assert "The first rule that matches decides" in page
    assert "Without any rule" not in page
    rules = [line for line in lines() if not line.startswith("USDT")]
    propose(anna, rules)
    edit = PolicyEdit.objects.latest("id")
    policies.approve_edit(edit_id=edit.id, actor_id=10**6, now=timezone.now() - timedelta(days=3))
    page = anna.get(LIST).content.decode()
    assert "nothing of it can be withdrawn: USDT." in page


def test_an_edit_is_proposed_shown_as_a_difference_and_approved_by_somebody_else(staff):
    anna, ben = staff("anna"), staff("ben")
    form = anna.get(ADD).content.decode()
    assert "BTC, the rest: BTC → allow" in form
    changed = [line.replace("above 0.25 BTC", "above 0.1 BTC") for line in lines()]
    answer = propose(anna, changed)
    edit = PolicyEdit.objects.latest("id")
    assert (answer.status_code, edit.proposed_by) == (302, anna.user.pk)
    own = anna.get(page_of(edit.id)).content.decode()
    assert "<del>BTC, large: BTC, above 0.25 BTC → 1 approval</del>" in own
    assert "<ins>BTC, large: BTC, above 0.1 BTC → 1 approval</ins>" in own
    assert 'value="approve"' not in own
    assert "Somebody else must approve it" in own
    assert "somebody else must approve it" in decide(anna, edit.id, "approve")
    assert 'value="approve"' in ben.get(page_of(edit.id)).content.decode()
    assert "In force from" in decide(ben, edit.id, "approve")
    assert policies.current(now=timezone.now()).version != edit.id
    assert policies.current(now=timezone.now() + timedelta(hours=25)).version == edit.id
    assert "approved already" not in decide(ben, edit.id, "cancel", reason="On second thoughts")
    assert policies.current(now=timezone.now() + timedelta(hours=25)).version != edit.id


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda rules: [*rules, "nonsense"], "Line 41: a rule is “name: conditions"),
        (lambda rules: [*rules, "x: DOGE → allow"], "There is no DOGE here"),
        (lambda rules: [*rules, "x: BTC, above 1 DOGE → allow"], "there is no asset DOGE"),
        (lambda rules: [*rules, "x: BTC, above 0.000000001 BTC → allow"], "At most 8 decimal places"),
        (lambda rules: [*rules, "x: BTC, whenever → allow"], "“whenever” is no condition"),
        (lambda rules: [*rules, "x: BTC → maybe"], "neither allow, nor refuse"),
        (lambda rules: [*rules, "x: BTC, above 1 BTC, above 2 BTC → allow"], "says again"),
        (lambda rules: [*rules, "x: any asset, above 1 BTC → allow"], "names the one asset"),
        (lambda rules: [*rules, rules[0]], "Two rules are called"),
        (lambda rules: [*rules, "x: BTC → 11 approvals"], "1 to 10 approvers"),
        (lambda rules: [], "This field is required"),
        (lambda rules: rules, "These are the rules in force"),
    ],
)
def test_what_is_no_policy_is_refused_in_the_form_in_a_sentence(staff, change, complaint):
    before = PolicyEdit.objects.count()
    page = propose(staff("anna"), change(lines()))
    assert page.status_code == 200
    assert complaint in page.content.decode().replace("&#x27;", "'")
    assert PolicyEdit.objects.count() == before


def test_a_reason_is_asked_for_and_one_edit_is_open_at_a_time(staff):
    anna = staff("anna")
    assert "Say why the rules change" in propose(anna, lines()[:-1], note=" ").content.decode()
    propose(anna, lines()[:-1])
    edit = PolicyEdit.objects.latest("id")
    assert "Another edit is open" in propose(anna, lines()[:-2]).content.decode()
    assert f"Edit {edit.id} is open" in anna.get(LIST).content.decode()
    assert "Say why this edit is cancelled" in decide(anna, edit.id, "cancel", reason="")
    assert "Cancelled." in decide(anna, edit.id, "cancel", reason="Wrong asset")


def test_nobody_decides_without_the_right_or_by_a_link(staff):
    anna, guest = staff("anna"), staff("guest", may=())
    propose(anna, lines()[:-1])
    edit = PolicyEdit.objects.latest("id")
    url = reverse("admin:custody_policyedit_decide", args=[edit.id])
    assert staff("ben").get(url).status_code == 405
    for verb in ("approve", "cancel", "anything"):
        assert guest.post(url, {"verb": verb, "reason": "x"}).status_code == 403
    assert guest.get(ADD).status_code == 403
    page = guest.get(page_of(edit.id)).content.decode()
    assert 'name="verb"' not in page
    assert anna.post(page_of(edit.id), {"note": "changed"}).status_code == 403
    assert Client(enforce_csrf_checks=True).post(url).status_code in (302, 403)


def test_decisions_are_listed_with_their_reasons(staff):
    policies.decide(
        subject="withdrawal:1", asset_id=1, network_id=1, amount=30_000_000, destination="one_time", initiator="customer",
        owner_id=7, spent=dict.fromkeys(policies.WINDOWS, 0), now=timezone.now(),
    )  # fmt: skip
    page = staff("anna").get(reverse("admin:custody_policydecision_changelist")).content.decode()
    assert "0.3 BTC is more than 0.25 BTC" in page
