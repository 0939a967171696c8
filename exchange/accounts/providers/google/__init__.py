"""Google, by OpenID Connect: https://developers.google.com/identity/openid-connect/openid-connect"""
