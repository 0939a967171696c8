"""Controls of the back office: two people for what matters, offices that hold what is written, and no page that edits money."""

from __future__ import annotations

from tests.controls import Control

PROPOSALS = "tests/integration/backoffice/test_proposals.py::"
ROLES = "tests/integration/backoffice/test_roles.py::"
MONEY = "tests/integration/backoffice/test_no_money.py::"
DESKS = "tests/integration/backoffice/test_desks.py::"
TRADING = "tests/integration/trading/test_trading_admin.py::"
ACCOUNTS = "tests/integration/accounts/test_accounts.py::"
NOTHING, YES, NO = "tests.controls.off:nothing", "tests.controls.off:yes", "tests.controls.off:no"

CONTROLS = [
    Control(
        name="nobody of the staff approves what they proposed",
        off=(("exchange.proposals.services:_by_another", NOTHING),),
        test=PROPOSALS + "test_nobody_approves_what_they_proposed",
        asvs=("V2.3.5",),
    ),
    Control(
        name="a proposal is of people who have the right, and not about either",
        off=(("exchange.proposals.services:_may", NOTHING),),
        test=PROPOSALS + "test_whom_it_is_about_has_no_say",
        asvs=("V2.3.5", "V8.3.1"),
    ),
    Control(
        name="a proposal dies with its maker's right",
        off=(("exchange.proposals.registry:may", YES),),
        test=PROPOSALS + "test_a_wish_of_somebody_who_left_is_not_approved",
        asvs=("V2.3.5", "V8.3.2"),
    ),
    Control(
        name="a proposal is not put on top of what changed since",
        off=(("exchange.proposals.services:_unchanged", NOTHING),),
        test=PROPOSALS + "test_what_changed_meanwhile_is_not_written_over",
    ),
    Control(
        name="a market that was narrowed is opened again by two",
        off=(("trading.proposing:widens", NO),),
        test=TRADING + "test_what_lets_orders_in_again_takes_two",
        asvs=("V2.3.5",),
    ),
    Control(
        name="a customer's address is not given to one that is in use",
        off=(("exchange.accounts.services.email_changes:_possible", NOTHING),),
        test=ACCOUNTS + "TestStaff::test_an_address_in_use_and_one_of_staffs_own_are_refused",
    ),
    Control(
        name="each office opens the pages of its line alone",
        off=(("unfold.admin:ModelAdmin.has_view_permission", YES),),
        test=ROLES + "test_each_office_opens_what_its_line_says_and_nothing_else",
        asvs=("V8.2.1", "V8.4.2"),
    ),
    Control(
        name="an office of the house holds what is written down",
        off=(("exchange.backoffice.seeding:seed", NOTHING),),
        test=ROLES + "test_what_somebody_adds_to_an_office_by_hand_is_gone_after_the_next_migrate",
        asvs=("V8.2.1",),
    ),
    Control(
        name="an office of the house is not edited on a page",
        off=(("exchange.accounts.registry:office_is_kept", NO),),
        test=ROLES + "test_an_office_of_the_house_is_not_edited_on_its_page",
    ),
    Control(
        name="no staff page has a form over the ledger's rows",
        off=(("exchange.ledger.admin:Looking.has_change_permission", YES),),
        test=MONEY + "test_what_a_form_may_write_is_listed_and_no_amount",
    ),
    Control(
        name="a look at a customer stands in the audit",
        off=(("exchange.backoffice.admin:audit.record", NOTHING),),
        test=DESKS + "test_a_customers_story_is_on_one_page_and_every_look_is_on_record",
        asvs=("V16.3.2",),
    ),
]
