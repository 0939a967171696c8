"""allauth's own tables are not in the back office: an address, a linked account, a factor or a session there is a way in.

Each is changed by its owner, or by a service of ours that two people stand behind and the audit knows. What must never happen
here: a form by which a member of staff links his own Google account to a customer's, or calls an address confirmed.
"""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin

WAYS_IN = (EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession)

for _model in WAYS_IN:
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)
