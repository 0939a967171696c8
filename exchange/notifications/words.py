"""What e-mails about an account's safety say, in each language of settings.MAIL_LANGUAGES; English where one has no words yet.

Whoever is warned must understand the warning. What must never happen here: a sentence that is there in one language and says
something else in another.
"""

from __future__ import annotations

from django.utils import translation

_EN = {
    "at": "When",
    "address": "From",
    "browser": "With",
    "change": "What",
    "paused_until": "Withdrawals paused until",
    "open": "Open {site}",
    "see_it": "See it at",
    "not_me": "Was this not you? Freeze your account",
    "not_me_help": "It ends all log-ins and API keys and stops withdrawals, until our staff have spoken with you.",
    "not_you": "Was this not you? Log in and change your password, then write to support.",
    "word": "Your code in our e-mails",
    "new_device_title": "New log-in to your account",
    "new_device_body": "Somebody logged in from a browser or app that we have not seen with you before. If it was you, there "
    "is nothing to do.",
    "password_title": "Your password was changed",
    "factor_title": "Your second factors were changed",
    "email_title": "Your e-mail address was changed",
    "linked_account_title": "Your linked accounts were changed",
    "api_key_title": "Your API keys were changed",
    "recovery_codes_title": "Your recovery codes were changed",
    "changed_body": "How your account is protected has changed.",
    "changed_paused": "How your account is protected has changed. As a precaution, withdrawals are paused for a while.",
    "frozen_title": "Your account is frozen",
    "frozen_body": "“This was not me” was pressed in one of our e-mails. All log-ins and API keys have ended, the password is "
    "void, and nothing can be withdrawn. Please write to support: they open the account again once they know it is you.",
    "lifted_title": "Your account is open again",
    "lifted_body": "Our staff have lifted the freeze. Choose a new password before you log in; withdrawals stay paused for a "
    "while after that. Look at your second factors, linked accounts and API keys.",
    "lifted_action": "Choose a new password",
    "closed_title": "Your account is closed",
    "closed_body": "You closed it. Nobody can log in any more; the books are kept as the law asks. If you change your mind, "
    "write to support.",
    "reopened_title": "Your account is open again",
    "reopened_body": "Our staff have opened it again, as you asked.",
    "export_title": "Your data is ready",
    "export_body": "The copy of your data that you asked for can be downloaded after you log in, for {days} days.",
    "export_action": "Download it",
    "export_failed_title": "Your data could not be gathered",
    "export_failed_body": "Something broke on our side while we made the copy of your data. A day after you asked for it you can "
    "ask again.",
}
_DE = {
    "at": "Wann",
    "address": "Von",
    "browser": "Mit",
    "change": "Was",
    "paused_until": "Auszahlungen pausiert bis",
    "open": "{site} öffnen",
    "see_it": "Ansehen unter",
    "not_me": "Waren Sie das nicht? Konto einfrieren",
    "not_me_help": "Alle Anmeldungen und API-Schlüssel enden und nichts kann ausgezahlt werden, bis unsere Mitarbeiter mit "
    "Ihnen gesprochen haben.",
    "not_you": "Waren Sie das nicht? Melden Sie sich an, ändern Sie Ihr Passwort und schreiben Sie dem Support.",
    "word": "Ihr Kennwort in unseren E-Mails",
    "new_device_title": "Neue Anmeldung bei Ihrem Konto",
    "new_device_body": "Jemand hat sich mit einem Browser oder einer App angemeldet, die wir bei Ihnen noch nicht gesehen "
    "haben. Wenn Sie das waren, ist nichts zu tun.",
    "password_title": "Ihr Passwort wurde geändert",
    "factor_title": "Ihre zweiten Faktoren wurden geändert",
    "email_title": "Ihre E-Mail-Adresse wurde geändert",
    "linked_account_title": "Ihre verknüpften Konten wurden geändert",
    "api_key_title": "Ihre API-Schlüssel wurden geändert",
    "recovery_codes_title": "Ihre Wiederherstellungscodes wurden geändert",
    "changed_body": "Der Schutz Ihres Kontos hat sich geändert.",
    "changed_paused": "Der Schutz Ihres Kontos hat sich geändert. Zur Sicherheit sind Auszahlungen eine Weile pausiert.",
    "frozen_title": "Ihr Konto ist eingefroren",
    "frozen_body": "In einer unserer E-Mails wurde „Das war ich nicht“ gedrückt. Alle Anmeldungen und API-Schlüssel sind "
    "beendet, das Passwort gilt nicht mehr, und nichts kann ausgezahlt werden. Bitte schreiben Sie dem Support: Er öffnet das "
    "Konto wieder, sobald er weiß, dass Sie es sind.",
    "lifted_title": "Ihr Konto ist wieder offen",
    "lifted_body": "Unsere Mitarbeiter haben das Konto wieder geöffnet. Wählen Sie ein neues Passwort, bevor Sie sich anmelden; "
    "Auszahlungen bleiben danach noch eine Weile pausiert. Prüfen Sie Ihre zweiten Faktoren, verknüpften Konten und "
    "API-Schlüssel.",
    "lifted_action": "Neues Passwort wählen",
    "closed_title": "Ihr Konto ist geschlossen",
    "closed_body": "Sie haben es geschlossen. Niemand kann sich mehr anmelden; die Bücher werden aufbewahrt, wie das Gesetz es "
    "verlangt. Wenn Sie es sich anders überlegen, schreiben Sie dem Support.",
    "reopened_title": "Ihr Konto ist wieder offen",
    "reopened_body": "Unsere Mitarbeiter haben es wieder geöffnet, wie Sie es wünschten.",
    "export_title": "Ihre Daten liegen bereit",
    "export_body": "Die Kopie Ihrer Daten, um die Sie gebeten haben, kann nach der Anmeldung {days} Tage lang heruntergeladen "
    "werden.",
    "export_action": "Herunterladen",
    "export_failed_title": "Ihre Daten konnten nicht zusammengestellt werden",
    "export_failed_body": "Beim Erstellen der Kopie Ihrer Daten ist bei uns etwas schiefgegangen. Einen Tag nach "
    "der Anforderung können Sie sie erneut anfordern.",
}
BY_LANGUAGE = {"en": _EN, "de": _DE}


def say(name: str, **values: object) -> str:
    """The words of this name in the language that is active."""
    language = (translation.get_language() or "en").partition("-")[0]
    return BY_LANGUAGE.get(language, _EN).get(name, _EN[name]).format(**values)
